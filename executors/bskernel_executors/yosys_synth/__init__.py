"""Synthesis of stitched designs with Yosys."""
