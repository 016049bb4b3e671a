"""What a step's process may do: write below its own folder; read its inputs, its environment, tools and the system.

The child gives up everything else before it runs the entry, in either runtime and without root, and so for whatever
it starts. Where the system has no Landlock, only system calls are filtered, and the step's log says so.
"""

from __future__ import annotations

import contextlib
import os
import site
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from bskernel_protocol.layout import INPUTS, OUTPUTS, SLOT_INPUTS, TOOL_FOLDERS, WORK
from bskernel_protocol.licences import LICENCE_VARIABLES

from bskernel_executors.sdk import landlock, syscall_filter
from bskernel_executors.sdk.libc import capset, prctl
from bskernel_executors.sdk.mount_view import enter_view, make_writable
from bskernel_executors.sdk.number_runs import consecutive_runs

_PR_SET_DUMPABLE = 4
_CAPABILITIES_3 = 0x20080522

_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys",
)
# Not all of /etc: it holds what only some may read.
_SETTINGS = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload", "passwd", "group", "nsswitch.conf", "hosts"),
    *(
        "host.conf",
        "resolv.conf",
        "gai.conf",
        "services",
        "protocols",
        "networks",
        "hostname",
        "localtime",
        "timezone",
    ),
    *("os-release", "lsb-release", "debian_version", "redhat-release", "alternatives", "fonts", "locale.conf"),
    *("python3", f"python3.{sys.version_info.minor}"),  # Debian's Python reads its sitecustomize there
    *("locale.alias", "mime.types", "ssl/certs", "ssl/openssl.cnf", "pki/tls", "ca-certificates", "java", "shells"),
)
_SHARED_MEMORY = "/dev/shm"  # noqa: S108
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PLAIN = landlock.READ | landlock.WRITE | landlock.MAKE_REG | landlock.REMOVE_FILE
_SCRATCH = landlock.file_rights(5) & ~(landlock.MAKE_CHAR | landlock.MAKE_BLOCK | landlock.IOCTL_DEV)


def _environment_folders() -> Iterator[str]:
    yield from (sys.prefix, sys.base_prefix, sys.exec_prefix, str(Path(sys.executable).resolve().parent.parent))
    yield from (os.path.realpath(folder) for folder in (*sys.path, *site.getsitepackages()) if folder)


def common_rights(environment: Mapping[str, str]) -> dict[str, int]:
    """The rights of every step of a session: path -> rights. `environment` is the session's."""
    named = [part for name in (TOOL_FOLDERS, *LICENCE_VARIABLES) for part in environment.get(name, "").split(":")]
    folders = [path for path in named if path.startswith("/")]
    # What warming up leaves in the session's HOME, which no step can write to.
    readable = (
        *_SYSTEM,
        *(f"/etc/{name}" for name in _SETTINGS),
        *_environment_folders(),
        environment.get("HOME", ""),
    )
    found = {os.path.realpath(path) for path in (*readable, *folders) if path and os.path.exists(path)} - {"/"}  # noqa: PTH110
    # What lies in another of them needs no rule of its own.
    rights = {path: landlock.READ for path in found if not found.intersection(map(str, Path(path).parents))}
    rights |= {f"/dev/{name}": landlock.READ | landlock.WRITE for name in _DEVICES}
    # Python's and the C library's semaphores are files there.
    return rights | {_SHARED_MEMORY: _PLAIN}


def step_rights(directory: Path) -> dict[str, int]:
    """The rights to a step's own folder and its inputs: path -> rights.

    Only plain files beside manifest and result: a link or FIFO there would be in the way of whoever reads them.
    """
    return {
        f"{directory}": _PLAIN,
        f"{directory}/{OUTPUTS}": _SCRATCH,
        f"{directory}/{WORK}": _SCRATCH,
        f"{directory}/{INPUTS}": landlock.READ,  # a link: what it leads to
    }


def slot_rights(slot: Path, steps: Path) -> dict[str, int]:
    """The rights to the folders of all steps of a slot below `steps`, and to their inputs: path -> rights.

    The kernel keeps the folders of a slot for steps of this slot, so what a step leaves in one is in its own way.
    """
    return {f"{slot}": _SCRATCH, f"{steps.parent}/{SLOT_INPUTS}/{slot.relative_to(steps)}": landlock.READ}


def _drop_capabilities() -> None:
    """Give up all capabilities: root is then an ordinary user that owns root's files."""
    header, sets = struct.pack("=Ii", _CAPABILITIES_3, 0), struct.pack("=6I", *[0] * 6)
    capset(header, sets)


def make_folders(directory: Path) -> None:
    """Make what a step writes to in its folder, which it may not do itself."""
    for name in (OUTPUTS, WORK):
        if not os.path.isdir(f"{directory}/{name}"):  # noqa: PTH112 - half the time of pathlib's mkdir
            (directory / name).mkdir()


def protect_server() -> None:
    """Without Landlock, keep steps from tracing this process, their server.

    Then its owner cannot read its environment any more, by which leftovers are found; hence not always.
    """
    if not landlock.landlock_version():
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _lineage() -> tuple[int, ...]:
    """This process and those above it, as far as they can be seen: its supervisor, the kernel, the user's shell."""
    found = [os.getpid()]
    with contextlib.suppress(OSError, ValueError, IndexError):
        while found[-1] > 1:
            status = Path(f"/proc/{found[-1]}/stat").read_text(encoding="utf-8", errors="replace")
            found.append(int(status.rpartition(")")[2].split()[1]))
    return tuple(pid for pid in found if pid)


class Confinement:
    """What the steps of a session may do: made in its server, applied by each step's process to itself."""

    def __init__(self, environment: Mapping[str, str], steps: Path) -> None:
        """`environment` is the session's; `steps` is the folder that its steps' folders are in."""
        self._version = landlock.landlock_version()
        self._steps = steps
        self._rights = common_rights(environment)
        self._licence_server = any("@" in environment.get(name, "") for name in LICENCE_VARIABLES)
        # A step gets memory to share of its own, which ends with it, unless the session itself lies there.
        used = (str(steps), *self._rights.keys() - {_SHARED_MEMORY})
        self._memory_is_private = not any(f"{path}/".startswith(f"{_SHARED_MEMORY}/") for path in used)
        self._has_tools = bool(environment.get(TOOL_FOLDERS))
        spared = () if self._version >= landlock.SCOPES_SIGNALS else _lineage()
        self._programs = {tools: syscall_filter.make_program(outward=tools, spared=spared) for tools in (False, True)}
        self._early_program = syscall_filter.make_program(outward=False, mounting=True, spared=spared)
        self._opened = self._open_places()
        self._ruleset: landlock.Ruleset | None = None
        self._has_view = False
        self._is_filtered = False

    def _open_places(self) -> dict[str, landlock.OpenedPlace]:
        """The places of the common rights, opened once for all steps; those that cannot be are opened for each.

        What a step's view puts in the place of another folder is opened in the view.
        """
        if not self._version:
            return {}
        paths = self._rights.keys() - {_SHARED_MEMORY}
        opened = {path: landlock.open_place(path, self._rights[path]) for path in sorted(paths)}
        return {path: place for path, place in opened.items() if place is not None}

    def close(self) -> None:
        """Close what `prepare` needs, in the process that has called it."""
        for first, end in consecutive_runs(place.fd for place in self._opened.values()):
            os.closerange(first, end)
        self._opened = {}

    def prepare(self) -> None:
        """Do what needs no step, ahead, in a process that will run a confined one. It must have one thread.

        The filter takes as long as all that is left for `apply`. It still lets this process make the step's folder
        writable in its view; later no mount can be made, for want of a capability and because Landlock forbids it.
        """
        landlock.forbid_new_privileges()
        shared = (_SHARED_MEMORY,)
        self._has_view = enter_view(private=shared) if self._memory_is_private else enter_view(writable=shared)
        if self._version and not self._licence_server:
            self._ruleset = self._common_ruleset(tcp=False)
        if self._ruleset is not None and not self._has_tools:
            self._is_filtered = syscall_filter.install(self._early_program)

    def _common_ruleset(self, *, tcp: bool) -> landlock.Ruleset | None:
        try:
            ruleset = landlock.Ruleset(self._version, tcp=tcp)
            for path, rights in self._rights.items():
                place = self._opened.get(path)
                if place is not None:
                    ruleset.allow_opened(place)
                else:
                    ruleset.allow(path, rights)
        except OSError:
            return None
        return ruleset

    def apply(self, directory: Path, *, tools: bool, slot: bool = False) -> str | None:
        """Confine this process, which is prepared, to a step's folder; returns what this does not prevent.

        With `slot` it is the folder of all steps that this process may run. A step with `tools` may open sockets,
        because licence managers look at network cards, and connect by TCP if a licence server is named.
        """
        if self._has_view:
            # To Landlock, a folder that is open and was moved out of a mount lies at its root. So there are no rights
            # to the root, and none to what the kernel has taken out of the slot.
            make_writable(str(directory.parent if slot else directory))
        if not slot:
            make_folders(directory)
        _drop_capabilities()
        lacking = []
        rights_to = slot_rights(directory, self._steps) if slot else step_rights(directory)
        ruleset = self._ruleset
        if ruleset is None and self._version:
            ruleset = self._common_ruleset(tcp=tools and self._licence_server)
        try:
            if ruleset is None:
                raise OSError("the system has none")
            for path, rights in rights_to.items():
                ruleset.allow(path, rights)
            ruleset.enforce()
        except OSError as error:
            lacking.append(
                f"without Landlock ({error}) this step can read files of the user's and signal other steps"
            )
            prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # this process is no server
        self.close()
        if not self._is_filtered and not syscall_filter.install(self._programs[tools]):
            lacking.append("without seccomp this step can open connections")
        return "; ".join(lacking) or None
