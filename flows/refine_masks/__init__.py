"""Refining the instance-id maps of many scenes. `flow.py` tells the story."""
