"""This machine: its processes, the marks that they leave on temporary files, and files opened without waiting."""
