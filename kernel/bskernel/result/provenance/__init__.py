"""Where a build comes from, for other tools: its provenance, and a bill of what executors are made of. Pure."""
