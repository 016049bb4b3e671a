"""Builds exchanged with Brainsmith: its blueprints (YAML) become build.toml files, and the other way round."""
