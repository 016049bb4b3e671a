"""Sessions that stay ready between runs: each owned by a small process, its keeper, which runs connect to."""
