"""The table of a sweep and its analysis. Pure."""
