"""Synthesis and implementation of stitched designs with Vivado, out of context."""
