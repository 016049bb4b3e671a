"""What people see of a sweep: progress, text, Parquet, rendered plots."""
