"""The JSON files that one executor writes and another reads: one type for each, and one strict reader.

| file | written by | read by |
|---|---|---|
| bit_widths.json | qonnx-transform:bit_widths | metrics |
| coverage.json | finn-step:coverage | metrics |
| design.json, in a design or netlist | finn-step:rtl-stitch, yosys-synth | rtl-sim, yosys-synth, vivado-synth |
| evaluation.json | every `evaluate` | the next `evaluate`, metrics |
| fifo_config.json | rtl-sim:size_fifos | finn-step:insert_streams, FINN |
| host.json | finn-step:split_host | programs on the host |
| implementation.json | vivado-synth:implement | metrics |
| made_by.json, beside FINN's reports | finn-step | metrics |
| simulation.json | rtl-sim:simulate | rtl-sim:check_netlist, metrics |
| synthesis.json | yosys-synth, vivado-synth:synthesize | metrics |

A new executor that measures a design writes one of these files, and metrics collects it. Needs only msgspec.
"""
