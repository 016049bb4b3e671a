"""Check, clean up, transform and analyse QONNX models."""
