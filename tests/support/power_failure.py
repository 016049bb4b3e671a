"""What a power failure leaves: files without their bytes, though their sizes and times may be right; another boot."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
from bskernel.store.seal import seal, unseal

_EARLIER = "an earlier boot"


def keep_times(damage: Callable[[Path], object]) -> Callable[[Path], None]:
    """The damage, with the file's times as they were."""

    def damaged(path: Path) -> None:
        status = path.stat()
        damage(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return damaged


def zero(path: Path) -> None:
    """The right size, and nothing but zeros."""
    path.write_bytes(bytes(path.stat().st_size))


def zero_end(path: Path) -> None:
    """The right size; what follows a block's border was never written."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


def empty(path: Path) -> None:
    """No bytes at all, as many file systems leave a new file."""
    path.write_bytes(b"")


def cut(path: Path) -> None:
    """Half the bytes."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


LOSSES = (empty, cut, zero, zero_end, keep_times(zero), keep_times(zero_end), keep_times(cut))


def files_of(*folders: Path) -> list[Path]:
    """Every plain file below the folders; environments of executors, which are links to others, are left out."""
    return [
        Path(folder, name)
        for top in folders
        for folder, _, names in os.walk(top)
        for name in names
        if not Path(folder, name).is_symlink()
    ]


def cut_power(chance: random.Random, *folders: Path, share: float) -> list[Path]:
    """Damage a share of the files, at least one; returns them."""
    files = sorted(files_of(*folders))
    lost = chance.sample(files, max(1, round(share * len(files))))
    for path in lost:
        chance.choice(LOSSES)(path)
    return lost


def boot_again(*folders: Path) -> None:
    """Have all that notes a boot note an earlier one: as if the machine had been started since."""
    for path in files_of(*folders):
        body = unseal(path.name, path.read_bytes())
        if body is None:
            continue
        held = msgspec.msgpack.decode(body)
        noted = {"boot", "unsynced"} & held.keys() if isinstance(held, dict) else set()
        if not noted:
            continue
        held |= dict.fromkeys(noted, _EARLIER)
        status = path.stat()
        path.write_bytes(seal(path.name, msgspec.msgpack.encode(held)))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
