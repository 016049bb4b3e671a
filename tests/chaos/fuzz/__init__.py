"""Damaged messages, frames and documents: each decoder raises what it declares, and nothing else."""
