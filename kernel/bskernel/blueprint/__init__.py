"""Builds exchanged with Brainsmith: its blueprints (YAML) to build.toml and back. Pure but for `reader`."""
