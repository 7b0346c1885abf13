"""Video in and out: open, decode, sample, prefetch, write."""
