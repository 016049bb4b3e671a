"""What people see of a build: text, tables, graphs, progress and the log."""
