"""FINN's build steps as entries: one entry per step, with FINN's own name."""
