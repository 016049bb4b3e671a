"""bskernel on this machine: configuration, recipes, store, runtime and worker pools put together."""
