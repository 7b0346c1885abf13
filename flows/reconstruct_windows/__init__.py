"""Windows of frames to COLMAP models, merged into one. `flow.py` tells the story."""
