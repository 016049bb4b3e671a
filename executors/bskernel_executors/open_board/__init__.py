"""A board around a stitched design: clock, UART, pins and self-test, in SystemVerilog of our own."""
