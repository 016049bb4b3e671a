"""A finished build: written, read back, explained and compared."""
