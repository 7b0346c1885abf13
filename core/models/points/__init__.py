"""Point trackers: 3D points of an RGB-D clip, followed through it."""
