"""The Prefect server: which one is used, a temporary one where there is none, and what a lasting one needs."""
