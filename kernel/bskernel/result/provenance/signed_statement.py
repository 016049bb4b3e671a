"""Signed provenance: a statement in a DSSE envelope, and whether it is about the files of a build directory. Pure.

Envelopes are lines of JSON, as in a bundle of in-toto: https://github.com/in-toto/attestation/tree/main/spec/v1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from bskernel_protocol import pretty_json

from bskernel.core.signature import (
    Envelope,
    PublicKey,
    SigningKey,
    decode_envelope,
    encode_envelope,
    is_signed_by,
    sign,
)
from bskernel.result.provenance.statement import Statement

PAYLOAD_TYPE = "application/vnd.in-toto+json"
SUFFIX = ".intoto.jsonl"  # of a file with signed provenance
_STATEMENT, _PREDICATE = "https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1"


class _SignedFile(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    digest: dict[str, str]


class _SignedRun(msgspec.Struct, frozen=True, kw_only=True):
    byproducts: tuple[_SignedFile, ...] = ()


class _SignedPredicate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    run_details: _SignedRun


class _SignedProvenance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The fields of a statement that say what it is about."""

    type_: str = msgspec.field(name="_type")
    predicate_type: str
    subject: tuple[_SignedFile, ...]
    predicate: _SignedPredicate


def sign_statement(statement: Statement, key: SigningKey) -> str:
    """The statement in an envelope, as a line of JSON. Its payload is what is exported without a signature."""
    return encode_envelope(sign(pretty_json(statement).encode(), PAYLOAD_TYPE, key)).decode()


def why_unsigned(data: bytes, key: PublicKey, artifacts: Mapping[str, str], others: Mapping[str, str]) -> str | None:
    """None if one of the envelopes is signed by the key and describes exactly these files; else why none does.

    `artifacts` are a build's, `others` the remaining files of its directory: path -> SHA-256. A statement must name
    each of the artifacts and no other; of the others, those that it names must be there.
    """
    reasons = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            reason = _why_not(line, key, artifacts, others)
            if reason is None:
                return None
            reasons.append(f"line {number}: {reason}")
    if not reasons:
        return "there is no envelope in it"
    return reasons[0].removeprefix("line 1: ") if len(reasons) == 1 else "; ".join(reasons)


def _why_not(line: bytes, key: PublicKey, artifacts: Mapping[str, str], others: Mapping[str, str]) -> str | None:
    try:
        envelope = decode_envelope(line)
    except ValueError as error:
        return str(error)
    if not is_signed_by(envelope, key):
        return _why_invalid(envelope, key)
    return why_other(envelope.payload, envelope.payload_type, key.name, artifacts, others)


def why_other(
    payload: bytes, payload_type: str, signer: str, artifacts: Mapping[str, str], others: Mapping[str, str]
) -> str | None:
    """None if what `signer` signed is provenance of exactly these files, as in `why_unsigned`; else why not."""
    if payload_type != PAYLOAD_TYPE:
        return f"{signer} signed a document of another type: {payload_type}"
    try:
        signed = msgspec.json.decode(payload, type=_SignedProvenance)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"{signer} signed another document: {error}"
    if (signed.type_, signed.predicate_type) != (_STATEMENT, _PREDICATE):
        return f"{signer} signed another statement: {signed.predicate_type}"
    return next(_differences(signed, artifacts, others), None)


def _why_invalid(envelope: Envelope, key: PublicKey) -> str:
    if any(signature.keyid == key.keyid for signature in envelope.signatures):
        return f"the signature of {key.name} is not valid: the envelope is not as it was signed"
    return f"it is not signed by {key.name}" + (", but by another key" if envelope.signatures else "")


def _differences(signed: _SignedProvenance, artifacts: Mapping[str, str], others: Mapping[str, str]) -> Iterator[str]:
    subjects = {file.name: file.digest.get("sha256") for file in signed.subject}
    for file in (*signed.subject, *signed.predicate.run_details.byproducts):
        found = artifacts.get(file.name) if file.name in subjects else others.get(file.name)
        if found is None:
            yield f"{file.name}: signed, but not in the build"
        elif found != file.digest.get("sha256"):
            yield f"{file.name}: not the file that was signed"
    for name in artifacts.keys() - subjects.keys():
        yield f"{name}: not signed"
