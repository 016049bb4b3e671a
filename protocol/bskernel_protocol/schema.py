"""The JSON Schema of documents and messages, generated from the types."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel_protocol.artifact import TreeListing
from bskernel_protocol.catalogue import Catalogue
from bskernel_protocol.codec import PROTOCOL_VERSION
from bskernel_protocol.failure import Failure
from bskernel_protocol.manifest import LogLine, StepManifest, StepResult
from bskernel_protocol.messages import (
    Alive,
    Cancel,
    OutputLine,
    Progress,
    Ready,
    RunStep,
    StepFinished,
    StepStarted,
)

_TYPES = (StepManifest, StepResult, TreeListing, Failure, Catalogue, LogLine)
_MESSAGES = (RunStep, Cancel, Ready, StepStarted, OutputLine, Progress, StepFinished, Alive)


def protocol_schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12), with one definition for each document and message."""
    _, definitions = msgspec.json.schema_components(_TYPES + _MESSAGES, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"bskernel protocol, version {PROTOCOL_VERSION}",
        "$defs": definitions,
    }
