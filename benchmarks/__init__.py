"""Measurements, one command each: `python -m benchmarks.NAME`. Figures and commands stand in `README.md` here."""
