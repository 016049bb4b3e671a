"""Many builds as one: points, one plan for all of them, and what they come to."""
