"""Who makes a run's items: this host's slots, or the nodes of a Dask cluster, each with slots of its own."""
