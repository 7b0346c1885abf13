"""All reading and writing of shapes on disk: one module per format."""
