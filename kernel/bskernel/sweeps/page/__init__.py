"""The page of a sweep: what it shows as values. Pure."""
