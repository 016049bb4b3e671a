"""The points of a sweep: what each sets. Pure."""
