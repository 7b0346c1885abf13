"""3D point tracks from masks, in batches. `flow.py` tells the story."""
