"""New build.toml files: for a model, and from FINN's own build configuration. Pure but for `data_files`."""
