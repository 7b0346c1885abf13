"""The Prefect edge: cached items, device slots, progress, summaries. Thin: every line of real work is in `core`."""
