"""Layers of FINN's that FINN+ 1.6.1 has in HLS only, as SystemVerilog of our own. README.md says how to add one."""
