"""The executor brainsmith: steps of Brainsmith's registry, one at a time."""
