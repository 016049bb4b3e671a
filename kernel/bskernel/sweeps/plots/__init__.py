"""Plots described as Vega-Lite values. Pure."""
