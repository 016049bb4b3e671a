"""What steps and sessions leave on disk, and files of the kernel's own that others may have replaced.

All of it is read, walked and removed without trusting what lies there.

Nothing else in the kernel opens files of step directories and sessions (tests/project/test_remains.py).
"""
