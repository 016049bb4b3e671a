"""A filter of system calls (seccomp) for steps: no sockets, no tracing, no namespaces, no kernel's own doors.

Landlock does not know UDP, sockets by path (the Docker engine's, an agent's), keyrings and io_uring. Docker's own
profile forbids much of this too; the process runtime has no other. The program's form is in linux/filter.h and
linux/seccomp.h, the numbers are in arch/x86/entry/syscalls/syscall_64.tbl.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Collection, Iterable

from bskernel_executors.sdk.libc import prctl

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2
_AUDIT_ARCH_X86_64 = 0xC000003E
_X32 = 0x40000000  # system calls of the x32 ABI have this bit
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # offsets in struct seccomp_data
_LOAD, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_CLONE_NEWUSER = 0x10000000

_CLONE, _CLONE3, _PRLIMIT = 56, 435, 302
# Signals go to a process that is named by the first argument, ...
_TO_A_PROCESS = {"kill": 62, "rt_sigqueueinfo": 129, "tgkill": 234, "rt_tgsigqueueinfo": 297, "pidfd_open": 434}
# ... by one that no argument names: a folder of /proc is a pidfd, and any thread has a number, ...
_TO_ANYBODY = {"pidfd_send_signal": 424, "tkill": 200}
# ... or to the owner of a file that becomes readable: fcntl and ioctl, with these second arguments.
_OWNERS = {72: (8, 15), 16: (0x8901, 0x8902)}  # F_SETOWN, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP
_EVERYBODY = 0xFFFFFFFF
# Changes how others are scheduled unless these leading arguments are these: which process, 0 for oneself.
_OWN_PACE = {141: (0, 0), 142: (0,), 144: (0,), 314: (0,), 251: (1, 0)}  # setpriority, sched_set..., ioprio_set
# Ways to other processes of the same user that tools may need, and plain steps do not.
_OUTWARD = {
    "socket": 41,
    "shmget": 29, "shmat": 30, "shmctl": 31, "semget": 64, "semop": 65, "semctl": 66, "semtimedop": 220,
    "msgget": 68, "msgsnd": 69, "msgrcv": 70, "msgctl": 71, "mq_open": 240, "mq_unlink": 241,
}  # fmt: skip
_FORBIDDEN = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "pidfd_getfd": 438, "kcmp": 312,
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "add_key": 248, "request_key": 249, "keyctl": 250,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "syslog": 103, "acct": 163,
    "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "swapon": 167, "swapoff": 168, "reboot": 169,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "mount_setattr": 442,
    "unshare": 272, "setns": 308, "open_by_handle_at": 304, "quotactl": 179,
    "modify_ldt": 154, "name_to_handle_at": 303, "fanotify_init": 300,
    "settimeofday": 164, "clock_settime": 227, "sethostname": 170, "setdomainname": 171,
}  # fmt: skip

_MOUNTING = ("mount", "mount_setattr")


class _FilterProgram(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def make_program(*, outward: bool, mounting: bool = False, spared: Collection[int] = ()) -> bytes:
    """Make the filter; with `outward`, a step may use shared memory and queues, and sockets but those with a path.

    Behind sockets with a path there are programs that do all that the user may, e.g. the Docker engine. A step
    without tools slows no other process down. With `mounting`, a process that still has the capability may make
    mounts. The processes `spared`, their groups, and all processes at once get no signals: for systems whose Landlock
    does not see to that. Other steps cannot be known.
    """
    denied = {name: number for name, number in _FORBIDDEN.items() if not (mounting and name in _MOUNTING)}
    more = [*(_spare(spared) if spared else ()), *(() if outward else _keep_pace())]
    return _assemble([*denied.values(), *(() if outward else _OUTWARD.values())], more)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


_REFUSE = _instruction(_RETURN, _ERRNO | errno.EPERM)


def _refuse_arguments(number: int, offset: int, values: Collection[int]) -> list[bytes]:
    """Refuse a system call with one of these values of the argument at `offset`; leaves A as it is."""
    found = len(values)
    tests = [_instruction(_EQUAL, value & _EVERYBODY, found - at, 0) for at, value in enumerate(values)]
    body = [_instruction(_LOAD, offset), *tests, _instruction(_JUMP, 1), _REFUSE, _instruction(_LOAD, _NUMBER)]
    return [_instruction(_EQUAL, number, 0, len(body)), *body]


def _spare(pids: Collection[int]) -> list[bytes]:
    targets = (*pids, *(-pid for pid in pids), -1)
    program = [part for number in _TO_ANYBODY.values() for part in (_instruction(_EQUAL, number, 0, 1), _REFUSE)]
    for number in _TO_A_PROCESS.values():
        program += _refuse_arguments(number, _FIRST_ARGUMENT, targets)
    for number, commands in _OWNERS.items():
        program += _refuse_arguments(number, _SECOND_ARGUMENT, commands)
    return program


def _keep_pace() -> list[bytes]:
    """Refuse to slow other processes down. Threads may still be bound to processors: libraries name their threads."""
    program = []
    for number, own in _OWN_PACE.items():
        body = []
        for at, value in enumerate(own):
            body += [_instruction(_LOAD, _FIRST_ARGUMENT + 8 * at), _instruction(_EQUAL, value, 1, 0), _REFUSE]
        program += [_instruction(_EQUAL, number, 0, len(body) + 1), *body, _instruction(_LOAD, _NUMBER)]
    return program


def _assemble(denied: Iterable[int], more: Iterable[bytes]) -> bytes:
    instruction, refuse = _instruction, _REFUSE
    program = [
        instruction(_LOAD, _ARCHITECTURE),
        instruction(_EQUAL, _AUDIT_ARCH_X86_64, 1, 0),
        refuse,  # 32-bit programs have other numbers
        instruction(_LOAD, _NUMBER),
        instruction(_AT_LEAST, _X32, 0, 1),
        refuse,
    ]
    for number in denied:
        program += [instruction(_EQUAL, number, 0, 1), refuse]
    program += more
    program += [
        # Its flags lie in memory, where a filter sees nothing; libraries fall back to clone.
        instruction(_EQUAL, _CLONE3, 0, 1),
        instruction(_RETURN, _ERRNO | errno.ENOSYS),
        instruction(_EQUAL, _CLONE, 0, 4),
        instruction(_LOAD, _FIRST_ARGUMENT),
        instruction(_ANY_BIT, _CLONE_NEWUSER, 0, 1),
        refuse,
        instruction(_RETURN, _ALLOW),
        instruction(_EQUAL, _OUTWARD["socket"], 0, 4),
        instruction(_LOAD, _FIRST_ARGUMENT),
        instruction(_EQUAL, socket.AF_UNIX, 0, 1),
        refuse,
        instruction(_RETURN, _ALLOW),
        instruction(_EQUAL, _PRLIMIT, 0, 3),
        instruction(_LOAD, _FIRST_ARGUMENT),
        instruction(_EQUAL, 0, 1, 0),  # a process may limit itself only
        refuse,
        instruction(_RETURN, _ALLOW),
    ]
    return b"".join(program)


def install(program: bytes) -> bool:
    """Filter the system calls of this process and all that it starts; False where the system cannot.

    New privileges must be forbidden.
    """
    if os.uname().machine != "x86_64":
        return False
    header = _FilterProgram(length=len(program) // 8, instructions=program)
    return int(prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(header), 0, 0)) == 0
