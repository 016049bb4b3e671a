"""The page of a build: what it shows as values, and how it is drawn. Pure."""
