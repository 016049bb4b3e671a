"""Builds again what a build directory says, and compares: what lies there, and what a second build makes."""
