"""Runs steps on Dask workers, on this machine or on others. No other folder of the kernel imports Dask."""
