"""The pipelines, one module each, and the command line over the same functions."""
