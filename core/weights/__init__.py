"""Model weights: what there is, where it belongs, and getting it on request."""
