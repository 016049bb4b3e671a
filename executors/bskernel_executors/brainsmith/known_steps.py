"""What is known of Brainsmith's steps, by short name: their stages, kinds of failure, and tools."""

from __future__ import annotations

from bskernel_protocol import FailureCategory

STAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "qonnx_to_finn": (("onnx", "qonnx"), "finn"),
    "tidy_up": (("finn",), "finn"),
    "streamline": (("finn",), "finn"),
    "bert_streamlining": (("finn",), "finn"),
    "normalize_dataflow_layouts": (("finn",), "finn"),
    "convert_to_hw": (("finn",), "hwgraph"),
    "build_dataflow_graph": (("finn",), "hwgraph"),
    "build_hw_graph": (("hwgraph",), "hwgraph"),
    "create_dataflow_partition": (("hwgraph",), "hwgraph"),
    "specialize_layers": (("hwgraph",), "hwgraph"),
    "target_fps_parallelization": (("hwgraph",), "hwgraph"),
    "apply_folding_config": (("hwgraph",), "hwgraph"),
    "apply_parallelization_config": (("hwgraph",), "hwgraph"),
    "minimize_bit_width": (("hwgraph",), "hwgraph"),
    "transpose_decomposition": (("hwgraph",), "hwgraph"),
    "generate_estimate_reports": (("hwgraph",), "estimates"),
    "hw_codegen": (("hwgraph", "estimates"), "rtl"),
    "hw_ipgen": (("rtl",), "ip"),
}
FAILURES: dict[str, FailureCategory] = {
    "convert_to_hw": "kernel",
    "build_dataflow_graph": "kernel",
    "build_hw_graph": "kernel",
    "specialize_layers": "kernel",
    "hw_codegen": "kernel",
    "hw_ipgen": "synthesis",
    "create_stitched_ip": "synthesis",
    "out_of_context_synthesis": "synthesis",
    "synthesize_bitfile": "synthesis",
    "measure_rtlsim_performance": "verification",
    "make_driver": "postprocessing",
    "deployment_package": "postprocessing",
}
NEEDS_VIVADO = frozenset(
    {
        "hw_ipgen",
        "set_fifo_depths",
        "create_stitched_ip",
        "measure_rtlsim_performance",
        "out_of_context_synthesis",
        "synthesize_bitfile",
    }
)
