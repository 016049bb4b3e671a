"""Which results of a shared store count, and how its writers sign them: envelopes in place of the results' bytes.

The payload of an envelope is what a store without signatures holds, which names the action's key. So a signature
cannot stand for another step's result, and a reader that asks for none reads either form.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from bskernel.core.signature import (
    Envelope,
    decode_envelope,
    encode_envelope,
    is_signed_by,
    read_public_key,
    read_signing_key,
    sign,
)
from bskernel.store.codec import RESULT_TYPE, payload_of
from bskernel.store.settings import SharedSettings


class SignedResults:
    """Signs results and checks their signatures, as the settings of a shared store say."""

    def __init__(self, settings: SharedSettings, note: Callable[[str], None]) -> None:
        """`note` is called once, from any thread, when a result does not count."""
        self._settings = settings
        self._note = note
        self._noted = threading.Lock()  # never released
        self._public = [read_public_key(key.pem.encode(), key.name) for key in settings.signed_by]
        private = settings.sign_with if settings.mode != "read-only" else None
        self._signing = read_signing_key(private.pem.encode(), private.name) if private is not None else None

    @property
    def are_required(self) -> bool:
        """True when only signed results count."""
        return bool(self._public)

    def wrap(self, data: bytes) -> bytes:
        """The bytes to store for a result: an envelope if there is a key to sign with."""
        return encode_envelope(sign(data, RESULT_TYPE, self._signing)) if self._signing is not None else data

    def admit(self, data: bytes | None) -> bytes | None:
        """The bytes of a result, from what a store holds; None if it is missing, or must be signed and is not."""
        if not data or not self._public:
            return payload_of(data)
        with contextlib.suppress(ValueError):
            envelope = decode_envelope(data)
            if self._is_valid(envelope):
                return envelope.payload
        self._note_once()
        return None

    def _is_valid(self, envelope: Envelope) -> bool:
        return envelope.payload_type == RESULT_TYPE and any(is_signed_by(envelope, key) for key in self._public)

    def _note_once(self) -> None:
        if self._noted.acquire(blocking=False):
            keys = ", ".join(key.name for key in self._public)
            self._note(
                f"warning: the shared store {self._settings.shown} holds results that are not signed by {keys}: they"
                " count as missing, and their steps run"
            )
