"""Backends built on OpenCV alone: no weights, no GPU, real algorithms."""
