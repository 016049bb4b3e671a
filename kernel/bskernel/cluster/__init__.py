"""Builds carried out by Dask's workers, on this machine or on others. No other module of the kernel imports Dask."""
