"""What no log and no result may show: the values of licence variables."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import msgspec
from bskernel_protocol import Failure
from bskernel_protocol.licences import LICENCE_VARIABLES, licence_texts

_SHOWN = "<licence>"
_SHORTEST = 4


def _secrets(environment: Mapping[str, str]) -> list[str]:
    """What the variables' values must not show, the longest first."""
    found = {text for name in LICENCE_VARIABLES for text in licence_texts(environment.get(name, ""))}
    return sorted((secret for secret in found if len(secret) >= _SHORTEST), key=len, reverse=True)


class Redactor:
    """Takes the values of this process's licence variables out of texts."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        secrets = _secrets(environment)
        self._pattern = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def text(self, text: str) -> str:
        """The text without them."""
        return text if self._pattern is None else self._pattern.sub(_SHOWN, text)

    def failure(self, failure: Failure) -> Failure:
        """The failure without them."""
        if self._pattern is None:
            return failure
        return msgspec.structs.replace(
            failure,
            message=self.text(failure.message),
            cause=tuple(map(self.text, failure.cause)),
            hint=None if failure.hint is None else self.text(failure.hint),
        )
