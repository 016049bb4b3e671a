"""One plan for all points."""
