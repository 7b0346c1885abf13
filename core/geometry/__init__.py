"""Cameras, similarity transforms, COLMAP models. Poses follow OpenCV's axes; names say which way they map."""
