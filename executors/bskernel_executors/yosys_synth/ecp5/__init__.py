"""Synthesis for Lattice's ECP5: the same stitched design as for AMD's devices, with edits of FINN's RTL."""
