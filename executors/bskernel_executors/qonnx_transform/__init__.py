"""QONNX models: read and check them, clean them up, apply transformations by name."""

from bskernel_executors.qonnx_transform.entries import registry

__all__ = ["registry"]
