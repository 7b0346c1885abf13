"""One run's items on many hosts: a Dask cluster carries them there, each host leases its own devices to them."""
