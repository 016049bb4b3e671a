"""RTL simulation of stitched designs with Verilator."""
