"""Metrics: what FINN's reports say, in one typed form."""
