"""A serial port of this machine, without buffers, echo or handshake."""

from __future__ import annotations

import errno
import os
import select
import termios
import time
from glob import glob
from pathlib import Path
from types import TracebackType

from bskernel.core.errors import ConfigError, EnvironmentLacking

_READ = 65536
_LINE = 4  # places of termios' list: flags of control and line, both speeds
_RATES = {
    int(name[1:]): value for name, value in vars(termios).items() if name.startswith("B") and name[1:].isdigit()
}


def list_ports() -> list[str]:
    """The ports that USB serial converters usually have."""
    return sorted([*glob("/dev/ttyUSB*"), *glob("/dev/ttyACM*")])  # noqa: PTH207 - the order of names, not of folders


class SerialPort:
    """An open port: bytes out and in. Its methods raise EnvironmentLacking when the board is unplugged."""

    def __init__(self, path: Path, baud: int) -> None:
        """Open a port. Raises ConfigError for no port and no rate, EnvironmentLacking if this user may not."""
        self.path = path
        if baud not in _RATES:
            rates = ", ".join(f"{rate}" for rate in sorted(_RATES) if rate >= 9600)
            raise ConfigError(f"{baud} baud is no rate of this system", hint=f"rates: {rates}")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            there = ", ".join(list_ports())
            hint = (
                f"ports that are there: {there}" if there else "no USB serial port is there: is the board plugged in?"
            )
            raise ConfigError(f"{path}: no such port", hint=hint) from error
        except PermissionError as error:
            raise EnvironmentLacking(
                f"{path}: this user may not open the port", hint="sudo usermod -a -G dialout $USER, and log in again"
            ) from error
        except OSError as error:
            raise EnvironmentLacking(
                f"{path}: cannot be opened: {error.strerror}", hint="does another program use the port?"
            ) from error
        try:
            settings = termios.tcgetattr(self._file)
        except termios.error as error:
            os.close(self._file)
            raise ConfigError(f"{path}: is no serial port", hint="e.g. --port /dev/ttyUSB0") from error
        control = termios.CS8 | termios.CREAD | termios.CLOCAL
        settings[:_LINE] = [0, 0, control, 0]
        settings[_LINE : _LINE + 2] = [_RATES[baud]] * 2
        settings[6][termios.VMIN], settings[6][termios.VTIME] = 0, 0
        termios.tcsetattr(self._file, termios.TCSANOW, settings)
        termios.tcflush(self._file, termios.TCIOFLUSH)

    def __enter__(self) -> SerialPort:
        """Return the port."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port."""
        os.close(self._file)

    def _lost(self, error: OSError | None = None) -> EnvironmentLacking:
        why = f": {error.strerror}" if error is not None else ""
        return EnvironmentLacking(
            f"{self.path}: the board was unplugged{why}", hint="plug it in, flash it again and repeat the command"
        )

    def write(self, data: bytes, patience: float) -> None:
        """Send all bytes; raises EnvironmentLacking if none is taken for `patience` seconds."""
        left = memoryview(data)
        while left:
            if not select.select([], [self._file], [], patience)[1]:
                raise EnvironmentLacking(
                    f"{self.path}: takes no bytes", hint="is it the port of the board's UART, without flow control?"
                )
            try:
                left = left[os.write(self._file, left) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._lost(error) from error

    def read(self, patience: float) -> bytes:
        """Return bytes as soon as there are some; none after `patience` seconds."""
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            if not select.select([self._file], [], [], left)[0]:
                break
            try:
                data = os.read(self._file, _READ)
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno in {errno.EIO, errno.ENXIO, errno.ENODEV}:
                    raise self._lost(error) from error
                raise
            if not data:  # readable, and nothing to read: the other end is gone
                raise self._lost()
            return data
        return b""
