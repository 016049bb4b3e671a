"""What several executors know of FINN's dataflow layers: how they are folded, and how one tells another of them."""
