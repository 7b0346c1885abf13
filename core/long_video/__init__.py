"""Dense annotation of long videos: windows cut, followed forward and backward, joined and assembled."""
