"""Metrics of a build in one typed form, and analyses of them."""
