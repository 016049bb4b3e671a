"""File names inside a step directory."""

MANIFEST = "manifest.msgpack"
RESULT = "result.msgpack"
LOG = "log.jsonl"
INPUTS = "in"
OUTPUTS = "out"
WORK = "work"
LAYOUT = frozenset({MANIFEST, INPUTS, OUTPUTS, WORK, RESULT, LOG})  # everything in a step directory

LOG_LARGEST = 32 << 20  # bytes of a log; the server leaves out the middle of a longer one
