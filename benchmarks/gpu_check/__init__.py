"""Every claim about GPUs, checked in one run of at most eight minutes: see `__main__.py`."""
