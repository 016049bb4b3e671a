"""What several executors know of FINN's dataflow layers: which attributes fold them, and what a cycle carries."""
