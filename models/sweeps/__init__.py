"""Many runs side by side, on this machine or on any Dask cluster."""
