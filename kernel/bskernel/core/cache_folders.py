"""Folders of a cache that several parts of bskernel look into. Pure; imports nothing, for `unchanged_build`."""

BASES = "bases"  # unpacked bases of images
SESSIONS = ("sessions", "kept")  # of executors that run, and of those that stay warm
# In which temporary files and folders appear; "" is the cache itself.
WITH_TEMPORARY = ("", "incoming", "envs", "code", BASES, "sources", "packages", "tools")
