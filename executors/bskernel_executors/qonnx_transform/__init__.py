"""QONNX models: read and check them, clean them up, apply transformations by name."""
