"""Frames to COLMAP models: features and matches once, a model for each window, all windows merged into one."""
