"""RGB-D clips of several cameras in memory, and lifting pixels with depth into the world."""
