"""Analyses the table of a sweep by its goals: Pareto set, best points, a recommendation. Pure."""
