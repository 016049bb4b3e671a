"""This machine: its processes, the locks that they hold, and their marks on temporary files."""
