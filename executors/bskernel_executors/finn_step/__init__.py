"""FINN's build steps as entries, one each, by FINN's own names."""
