"""Errors that end a command. Each says what to do; each kind has its exit code."""

from __future__ import annotations

EXIT_OK = 0
EXIT_CONFIG = 2
EXIT_STEP_FAILED = 3
EXIT_ENVIRONMENT = 4
EXIT_GATE = 5  # a gate of `bskernel diff` failed
EXIT_NOT_TRUSTED = 6  # the project needs what the user has not allowed it
EXIT_LOCKED = 7  # the build is not the one that its lock describes
EXIT_DAMAGED = 8  # a build directory is not as its build wrote it
EXIT_DIFFERS = 9  # a build that ran again made other bytes
EXIT_UNSIGNED = 10  # a build is not signed by the key that was asked for
EXIT_DEFECT = 70  # as EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130


def first_line(error: BaseException) -> str:
    """What a library's error says, in one line: the name of its type if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


class BskernelError(Exception):
    """An error that the user can act on: a message and, if there is one, a hint."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(BskernelError):
    """The configuration or the command line is wrong."""

    exit_code = EXIT_CONFIG


class EnvironmentLacking(BskernelError):  # noqa: N818 - says what is wrong better than a suffix
    """This machine lacks something that the build needs."""

    exit_code = EXIT_ENVIRONMENT


class NotTrusted(BskernelError):  # noqa: N818 - says what is wrong better than a suffix
    """The project asks for something that the user has to allow first."""

    exit_code = EXIT_NOT_TRUSTED


class LockMismatch(BskernelError):  # noqa: N818 - says what is wrong better than a suffix
    """The build is not the one that its lock describes."""

    exit_code = EXIT_LOCKED
