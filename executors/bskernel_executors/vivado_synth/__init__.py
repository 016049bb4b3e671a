"""Synthesise and implement stitched designs with Vivado, out of context."""
