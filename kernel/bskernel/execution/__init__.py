"""Runs a plan: which step starts when, in which session, with which inputs, and how it ends."""
