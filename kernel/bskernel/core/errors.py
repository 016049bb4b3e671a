"""Errors that end a command: each says what to do, and each kind has its exit code."""

from __future__ import annotations

EXIT_OK = 0
EXIT_CONFIG = 2
EXIT_STEP_FAILED = 3
EXIT_ENVIRONMENT = 4
EXIT_GATE = 5  # of `bskernel diff`: what it compared must not be so
EXIT_INTERRUPTED = 130


class BskernelError(Exception):
    """Something that the user can act on: one message, at times a hint."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(BskernelError):
    """The configuration, or the way the command was called, is wrong."""

    exit_code = EXIT_CONFIG


class EnvironmentLacking(BskernelError):  # noqa: N818 - says what is wrong better than a suffix
    """This machine lacks something that the build needs."""

    exit_code = EXIT_ENVIRONMENT
