"""The protocol between kernel and executors: its values, their canonical bytes, and the frames that carry them."""

from bskernel_protocol.artifact import Artifact, ArtifactKind, TreeFile, TreeListing, check_relative_path
from bskernel_protocol.catalogue import (
    CODE,
    Catalogue,
    EntryDescription,
    InputDescription,
    OutputDescription,
    ParameterDescription,
)
from bskernel_protocol.codec import (
    PROTOCOL_VERSION,
    ProtocolError,
    canonical_bytes,
    decode_command,
    decode_document,
    decode_event,
    encode,
    pretty_json,
)
from bskernel_protocol.digest import Digest, digest_of_bytes, digest_of_file
from bskernel_protocol.failure import Failure, FailureCategory
from bskernel_protocol.frames import FrameError, read_frame, write_frame
from bskernel_protocol.manifest import LogLine, StepManifest, StepResult
from bskernel_protocol.messages import (
    Alive,
    Cancel,
    Command,
    Event,
    OutputLine,
    Progress,
    Ready,
    RunStep,
    StepFinished,
    StepStarted,
)

__all__ = [
    "CODE",
    "PROTOCOL_VERSION",
    "Alive",
    "Artifact",
    "ArtifactKind",
    "Cancel",
    "Catalogue",
    "Command",
    "Digest",
    "EntryDescription",
    "Event",
    "Failure",
    "FailureCategory",
    "FrameError",
    "InputDescription",
    "LogLine",
    "OutputDescription",
    "OutputLine",
    "ParameterDescription",
    "Progress",
    "ProtocolError",
    "Ready",
    "RunStep",
    "StepFinished",
    "StepManifest",
    "StepResult",
    "StepStarted",
    "TreeFile",
    "TreeListing",
    "canonical_bytes",
    "check_relative_path",
    "decode_command",
    "decode_document",
    "decode_event",
    "digest_of_bytes",
    "digest_of_file",
    "encode",
    "pretty_json",
    "read_frame",
    "write_frame",
]
