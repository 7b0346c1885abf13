"""Every claim about GPUs, checked in one run: see `__main__.py`."""
