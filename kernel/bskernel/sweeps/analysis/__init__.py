"""From the table of a sweep and its goals to a Pareto set, best points and a recommendation. Pure."""
