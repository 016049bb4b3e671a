"""Simulate stitched designs with Verilator, and find the depths of their FIFOs."""
