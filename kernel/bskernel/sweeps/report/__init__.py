"""What a sweep shows: progress, text, tables, plots."""
