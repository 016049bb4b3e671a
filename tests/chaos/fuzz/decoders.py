"""Whatever decodes bytes that others wrote, with the exceptions that it declares."""

import io
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from bskernel.cluster import messages as cluster_messages
from bskernel.config import Config
from bskernel.config.assignments import with_assignment
from bskernel.config.decoder import convert
from bskernel.config.reader import read_toml
from bskernel.core.errors import BskernelError
from bskernel.core.log_lines import last_lines
from bskernel.core.step import ExecutorRef
from bskernel.expr.errors import ExpressionError
from bskernel.expr.parser import parse
from bskernel.result.build_result import BuildResult
from bskernel.result.explanation import lines_of
from bskernel.result.result_file import read_result
from bskernel.runtime.session_dirs import Owner, owner_of
from bskernel.runtime.warm.messages import DaemonRecord, DaemonSpec, EndRequest, Granted, LeaseRequest, Status
from bskernel.runtime.warm.registry import SessionEntry
from bskernel.runtime.warm.sockets import receive_reply, receive_request
from bskernel.store.codec import StoredResult, decoded_listing, decoded_result, decoded_stored
from bskernel.store.file_digests import FileDigests
from bskernel.store.seal import seal
from bskernel.sweeps.results.sweep_file import read_sweep
from bskernel.workspace.onnx_file import OnnxDamage, find_locations
from bskernel_executors.exchange.coverage import Coverage
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.step_process import read_manifest
from bskernel_protocol import (
    FrameError,
    ProtocolError,
    decode_command,
    decode_document,
    decode_event,
    encode,
    read_frame,
)
from support.paths import TESTS

from chaos.fuzz import seeds

Decode = Callable[[bytes, Path], object]  # of the bytes, with a folder for its files
Declared = tuple[type[BaseException], ...]


class Decoder(msgspec.Struct, frozen=True, kw_only=True):
    """A function, whole bytes that it takes, and what it may raise for damaged ones."""

    name: str
    decode: Decode
    seeds: Sequence[bytes]
    declared: Declared = ()
    batch: int = 20_000  # messages of one trial, a few seconds
    form: str = ""  # "msgpack" or "json": values are damaged, too


def _frames(data: bytes, _: Path) -> None:
    source = io.BytesIO(data)
    while read_frame(source) is not None:
        pass


def _in_file(name: str, read: Callable[[Path], object]) -> Decode:
    def decode(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return decode


def _in_folder(name: str, read: Callable[[Path], object]) -> Decode:
    def decode(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder)

    return decode


def _receive_reply(data: bytes, _: Path) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(data)
        there.shutdown(socket.SHUT_WR)
        while receive_reply(here, 1.0) is not None:
            pass


def _receive_request(data: bytes, _: Path) -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(data)
        there.shutdown(socket.SHUT_WR)
        while receive_request(here) is not None:
            pass


def _config(data: bytes, folder: Path) -> object:
    try:
        table = msgspec.msgpack.decode(data)
    except (ValueError, RecursionError):  # the damage is to what it says, not to how it is written
        return None
    return convert(table, Config, folder / "build.toml") if isinstance(table, dict) else None


def _assignment(data: bytes, _: Path) -> object:
    return with_assignment({"target": {"target_fps": 1}, "step": []}, data.decode("utf-8", "replace"))


def _expression(data: bytes, _: Path) -> object:
    return parse(data.decode("utf-8", "replace"))


def _blueprint(path: Path) -> object:
    from bskernel.blueprint.reader import read_blueprint

    return read_blueprint(path)


def _coverage(path: Path) -> object:
    from bskernel_executors.exchange.artifact_file import read_artifact

    decoder = msgspec.json.Decoder(Coverage)
    return read_artifact(path, decoder, "coverage.json", writer="coverage")


def _json(*values: object) -> list[bytes]:
    return [msgspec.json.encode(value) for value in values]


_SPEC = DaemonSpec(
    executor=ExecutorRef(name="chaos", version="1", digest="0"), runtime="process", idle_s=60, root="/r", cache="/c"
)
_KEY = seeds.DIGEST.sha256
_OWNER = Owner(pid=4711, started="2571555", boot="a2d5b96d-267e-4a7e-901a-af0185c5d936", host="vm")
_RECORD = DaemonRecord(order=_SPEC, session="0" * 32, keeper=_OWNER)
_REPLIES = _json(Granted(session="0" * 32), Status(state="idle", keeps_s=1.0))
_REQUESTS = _json(LeaseRequest(idle_s=2.0), EndRequest(when_free=True))
_GOLDEN = TESTS / "executors" / "golden"

DECODERS = [
    Decoder(
        name="frames",
        decode=_frames,
        seeds=[seeds.framed(seeds.encoded(seeds.EVENTS))],
        declared=(FrameError,),
    ),
    Decoder(
        name="events",
        decode=lambda data, _: decode_event(data),
        seeds=seeds.encoded(seeds.EVENTS),
        declared=(ProtocolError,),
        form="msgpack",
    ),
    Decoder(
        name="commands",
        decode=lambda data, _: decode_command(data),
        seeds=seeds.encoded(seeds.COMMANDS),
        declared=(ProtocolError,),
        form="msgpack",
    ),
    Decoder(
        name="documents",
        decode=lambda data, _: decode_document(data),
        seeds=seeds.encoded(seeds.DOCUMENTS),
        declared=(ProtocolError,),
        form="msgpack",
    ),
    Decoder(
        name="results",
        decode=lambda data, _: decoded_result(_KEY, seal(_KEY, data)),
        seeds=seeds.encoded([seeds.RESULT]),
        form="msgpack",
    ),
    Decoder(
        name="stored-results",
        decode=lambda data, _: decoded_stored(_KEY, seal(_KEY, data)),
        seeds=seeds.encoded([StoredResult(result=seeds.RESULT, origin="file:///shared")]),
        form="msgpack",
    ),
    Decoder(
        name="sealed-results",
        decode=lambda data, _: decoded_stored(_KEY, data),
        seeds=[seal(_KEY, encode(StoredResult(result=seeds.RESULT)))],
    ),
    Decoder(
        name="listings",
        decode=lambda data, _: decoded_listing(data),
        seeds=seeds.encoded([seeds.LISTING]),
        form="msgpack",
    ),
    Decoder(
        name="known-files",
        decode=_in_file("files.msgpack", FileDigests),
        seeds=[msgspec.msgpack.encode(seeds.known_files())],
        batch=8000,
        form="msgpack",
    ),
    Decoder(
        name="owners",
        decode=_in_folder("owner.json", owner_of),
        seeds=_json(_OWNER),
        batch=8000,
        form="json",
    ),
    Decoder(
        name="records-of-daemons",
        decode=_in_folder("keeper.json", lambda folder: SessionEntry(folder).read()),
        seeds=_json(_RECORD),
        batch=8000,
        form="json",
    ),
    Decoder(
        name="requests-to-daemons",
        decode=_receive_request,
        seeds=[seeds.framed(_REQUESTS)],
        declared=(OSError, FrameError, msgspec.DecodeError),
    ),
    Decoder(
        name="replies-of-daemons",
        decode=_receive_reply,
        seeds=[seeds.framed(_REPLIES)],
        declared=(OSError, FrameError, msgspec.DecodeError),
    ),
    Decoder(
        name="manifests",
        decode=_in_folder("manifest.msgpack", read_manifest),
        seeds=seeds.encoded(seeds.DOCUMENTS[:1]),
        declared=(StepFailure,),
        batch=8000,
        form="msgpack",
    ),
    Decoder(
        name="builds",
        decode=_in_file("result.json", lambda path: read_result(path, BuildResult)),
        seeds=_json(seeds.BUILD),
        declared=(BskernelError,),
        batch=8000,
        form="json",
    ),
    Decoder(
        name="sweeps",
        decode=_in_file("sweep.json", read_sweep),
        seeds=_json({"table": {"columns": [], "rows": []}, "goals": {}}),
        declared=(BskernelError,),
        batch=8000,
        form="json",
    ),
    Decoder(
        name="logs",
        decode=_in_file("log.jsonl", lines_of),
        seeds=[seeds.LOG],
        batch=8000,
    ),
    Decoder(name="log-ends", decode=lambda data, _: last_lines(data), seeds=[seeds.LOG]),
    Decoder(
        name="toml",
        decode=_in_file("build.toml", read_toml),
        seeds=[seeds.TOML, seeds.TOML + b"deep = "],
        declared=(BskernelError,),
        batch=4000,
    ),
    Decoder(
        name="configurations",
        decode=_config,
        seeds=[msgspec.msgpack.encode(seeds.CONFIG)],
        declared=(BskernelError,),
        batch=8000,
        form="msgpack",
    ),
    Decoder(
        name="assignments",
        decode=_assignment,
        seeds=[b"target.target_fps=50000", b'step."a.b".x=[1, 2]', b"target={a=1}"],
        declared=(BskernelError,),
        batch=4000,
    ),
    Decoder(
        name="expressions",
        decode=_expression,
        seeds=seeds.EXPRESSIONS,
        declared=(ExpressionError,),
        batch=1500,
    ),
    Decoder(
        name="blueprints",
        decode=_in_file("x.yaml", _blueprint),
        seeds=[seeds.YAML, seeds.YAML + b"deep: "],
        declared=(BskernelError,),
        batch=400,
    ),
    Decoder(
        name="onnx",
        decode=lambda data, _: find_locations(data),
        seeds=seeds.ONNX,
        declared=(OnnxDamage,),
        batch=6000,
    ),
    Decoder(
        name="cluster-messages",
        decode=lambda data, _: cluster_messages.decode_answer(data),
        seeds=[cluster_messages.encode(cluster_messages.Rejected(failure=seeds.FAILURE))],
        declared=(msgspec.DecodeError,),
        form="msgpack",
    ),
    Decoder(
        name="coverage-files",
        decode=_in_file("coverage.json", _coverage),
        seeds=[(_GOLDEN / "coverage.json").read_bytes()],
        declared=(StepFailure,),
        batch=4000,
        form="json",
    ),
]
