"""What steps and sessions leave on disk: read, walked and removed without trusting any of it.

Nothing else in the kernel opens files of step directories and sessions (tests/project/test_remains.py).
"""
