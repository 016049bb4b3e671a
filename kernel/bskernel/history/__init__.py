"""The builds of the past: their directories found below a folder, read, and filtered."""
