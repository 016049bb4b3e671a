"""The chaos executor: honest entries, and steps that do everything a step should not."""
