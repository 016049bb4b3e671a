"""What is known of FINN's steps: stages, tools, kinds of failure, outputs. Steps not listed keep the stage."""

from __future__ import annotations

from bskernel_protocol import FailureCategory

STAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "step_qonnx_to_finn": (("onnx", "qonnx"), "finn"),
    "step_tidy_up": (("finn",), "finn"),
    "step_streamline": (("finn",), "finn"),
    "step_convert_to_hw": (("finn",), "hwgraph"),
    # FINN's library; a step that is not here keeps the stage.
    "step_resnet_tidy": (("finn",), "finn"),
    "step_resnet_streamline": (("finn",), "finn"),
    "step_resnet50_tidy": (("finn",), "finn"),
    "step_resnet50_streamline": (("finn",), "finn"),
    "step_resnet50_convert_to_hw": (("finn",), "hwgraph"),
    "step_mobilenet_streamline": (("finn",), "finn"),
    "step_mobilenet_lower_convs": (("finn",), "finn"),
    "step_mobilenet_convert_to_hw_layers": (("finn",), "hwgraph"),
    "step_mobilenet_convert_to_hw_layers_separate_th": (("finn",), "hwgraph"),
    "step_pre_streamline": (("finn",), "finn"),
    "step_convert_final_layers": (("finn", "hwgraph"), "hwgraph"),
    "transformer_adhoc_step_convert_to_hw": (("finn",), "hwgraph"),
    "step_minimize_bit_width_initial": (("hwgraph",), "hwgraph"),
    "step_create_dataflow_partition": (("hwgraph",), "hwgraph"),
    "step_specialize_layers": (("hwgraph",), "hwgraph"),
    "step_target_fps_parallelization": (("hwgraph",), "hwgraph"),
    "step_apply_folding_config": (("hwgraph",), "hwgraph"),
    "step_minimize_bit_width": (("hwgraph",), "hwgraph"),
    "step_transpose_decomposition": (("hwgraph",), "hwgraph"),
    "step_generate_estimate_reports": (("hwgraph",), "estimates"),
    "step_hw_codegen": (("hwgraph", "estimates"), "rtl"),
    "step_hw_ipgen": (("rtl",), "ip"),
    "step_create_stitched_ip": (("ip",), "ip"),
    "step_measure_rtlsim_performance": (("ip",), "ip"),
    "step_out_of_context_synthesis": (("ip",), "netlist"),
    "step_prepare_synthesis": (("ip", "netlist"), "netlist"),
    "step_synthesize_bitfile": (("ip", "netlist"), "bitstream"),
    "step_make_driver": (("bitstream",), "bitstream"),
    "step_deployment_package": (("bitstream",), "bitstream"),
}
# DataflowOutputType that FINN must be asked for, or the step does nothing. Estimates are always asked for.
OUTPUT_TYPES: dict[str, tuple[str, ...]] = {
    "step_create_stitched_ip": ("stitched_ip",),
    "step_measure_rtlsim_performance": ("stitched_ip", "rtlsim_performance"),
    "step_out_of_context_synthesis": ("stitched_ip", "out_of_context_synth"),
    "step_prepare_synthesis": ("stitched_ip", "bitfile"),
    "step_synthesize_bitfile": ("stitched_ip", "bitfile"),
    "step_vivado_power_estimation": ("stitched_ip", "out_of_context_synth"),
    "step_make_driver": ("pynq_driver",),
    "step_deployment_package": ("bitfile", "pynq_driver", "deployment_package"),
}
# The category of a step's failure when its exception does not decide it. Default: "transform".
FAILURES: dict[str, FailureCategory] = {
    "step_convert_to_hw": "kernel",
    "step_specialize_layers": "kernel",
    "step_hw_codegen": "kernel",
    "step_hw_ipgen": "synthesis",
    "step_generate_hardware": "synthesis",
    "step_create_stitched_ip": "synthesis",
    "step_out_of_context_synthesis": "synthesis",
    "step_prepare_synthesis": "synthesis",
    "step_synthesize_bitfile": "synthesis",
    "step_measure_rtlsim_performance": "verification",
    "step_make_driver": "postprocessing",
    "step_deployment_package": "postprocessing",
}
_VIVADO, _HLS = ("vivado",), ("vitis_hls", "vivado")
# A step with missing tools is refused before anything runs.
TOOLS: dict[str, tuple[str, ...]] = {
    "step_generate_hardware": _HLS,
    "step_hw_ipgen": _HLS,
    "step_set_fifo_depths": _HLS,
    "step_create_stitched_ip": _VIVADO,
    "step_measure_rtlsim_performance": _VIVADO,
    "step_out_of_context_synthesis": _VIVADO,
    "step_prepare_synthesis": _HLS,
    "step_synthesize_bitfile": _HLS,  # the DMAs between memory and accelerator are written in HLS
    "step_vivado_power_estimation": _VIVADO,
}
# Steps that run HLS: always, or only for HLS layers.
HLS_ALWAYS = frozenset({"step_synthesize_bitfile"})
HLS_BY_LAYER = frozenset(
    {"step_generate_hardware", "step_hw_ipgen", "step_set_fifo_depths", "step_prepare_synthesis"}
)
# Reports with a tool's numbers: file -> tool.
TOOL_REPORTS: dict[str, str] = {
    "estimate_layer_resources_hls.json": "vitis_hls",
    "rtlsim_performance.json": "vivado",
    "ooc_synth_and_timing.json": "vivado",
    "post_synth_resources.json": "vivado",
    "post_route_timing.rpt": "vivado",
    "power_estimate_summary.json": "vivado",
}
# A step's main result: name of the output, folder in FINN's output directory, description. The results of an
# out-of-context run are files of the Vivado project that the model names.
MAIN_OUTPUTS: dict[str, tuple[str, str, str]] = {
    "step_create_stitched_ip": ("stitched_ip", "stitched_ip/ip", "the accelerator as a packaged IP"),
    "step_out_of_context_synthesis": ("out_of_context", "", "reports and routed checkpoint"),
    "step_synthesize_bitfile": ("bitfile", "bitfile", "bitstream and hardware handoff"),
    "step_make_driver": ("driver", "driver", "settings of the driver on the board"),
    "step_deployment_package": ("deploy", "deploy", "deployment package for the board: bitfile and driver"),
}
