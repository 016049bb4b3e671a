"""Synthesis for Lattice's ECP5 and iCE40: the same stitched design as for AMD's devices, with edits of FINN's RTL."""
