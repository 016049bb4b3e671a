"""Runs a sweep: its nodes, its points, its early stops."""
