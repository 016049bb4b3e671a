"""Keep the values of licence variables out of logs and results."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec
from bskernel_protocol import Failure
from bskernel_protocol.licences import LICENCE_VARIABLES, licence_texts

_REPLACEMENT = "<licence>"
_SHORTEST = 4  # characters; a shorter value would match ordinary text


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """The texts to hide, longest first."""
    found = {text for name in LICENCE_VARIABLES for text in licence_texts(environment.get(name, ""))}
    return sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)


class SecretFilter:
    """Replaces the values of this process's licence variables in texts."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        secrets = _secrets(environment)
        self._pattern = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def redact(self, text: str) -> str:
        """Return the text without them."""
        return text if self._pattern is None else self._pattern.sub(_REPLACEMENT, text)

    def redact_failure(self, failure: Failure) -> Failure:
        """Return the failure without them in its message, cause and hint."""
        if self._pattern is None:
            return failure
        return msgspec.structs.replace(
            failure,
            message=self.redact(failure.message),
            cause=tuple(map(self.redact, failure.cause)),
            hint=None if failure.hint is None else self.redact(failure.hint),
        )
