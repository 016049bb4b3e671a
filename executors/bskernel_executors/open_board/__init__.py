"""A board around a stitched design: its wrapper in SystemVerilog, clock, UART, pins, self-test, and what a host needs."""
