"""MM Grounding DINO through transformers (Zhao et al. 2024): the same model, trained on open data."""
