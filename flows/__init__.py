"""The pipelines, a package each, and the command line over the same functions."""
