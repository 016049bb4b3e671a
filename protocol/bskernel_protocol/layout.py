"""Names inside a session's root and inside a step directory."""

MANIFEST = "manifest.msgpack"
RESULT = "result.msgpack"
LOG = "log.jsonl"
INPUTS = "in"
OUTPUTS = "out"
WORK = "work"
LAYOUT = frozenset({MANIFEST, INPUTS, OUTPUTS, WORK, RESULT, LOG})  # all that a step directory holds
