"""Grounding DINO through transformers (Liu et al., ECCV 2024)."""
