"""Dense annotation of long videos. `flow.py` tells the story."""
