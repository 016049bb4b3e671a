"""Lattice's devices as data, and boards with an ECP5 and their pins."""
