"""OWLv2 through transformers (Minderer et al., NeurIPS 2023)."""
