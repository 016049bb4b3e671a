"""A sweep run: nodes, points, early stops."""
