"""Functions of the C library, found once, in the server: each process of a step would find them again."""

from __future__ import annotations

import ctypes

_library = ctypes.CDLL(None, use_errno=True)
capset, mount, prctl, syscall, unshare = (
    _library[name] for name in ("capset", "mount", "prctl", "syscall", "unshare")
)
madvise = _library["madvise"]
madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
mallopt = getattr(_library, "mallopt", None)  # the GNU C library has it
