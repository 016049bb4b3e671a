"""One plan for all points. Pure."""
