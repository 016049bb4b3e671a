"""Lattice's ECP5 as data: its devices, and boards with their pins."""
