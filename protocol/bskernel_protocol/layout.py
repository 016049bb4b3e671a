"""File names inside a step directory."""

MANIFEST = "manifest.msgpack"
RESULT = "result.msgpack"
LOG = "log.jsonl"
INPUTS = "in"
OUTPUTS = "out"
WORK = "work"
LAYOUT = frozenset({MANIFEST, INPUTS, OUTPUTS, WORK, RESULT, LOG})  # everything in a step directory
