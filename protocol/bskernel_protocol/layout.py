"""File names inside a step directory, and the environment variable that names what lies outside of it."""

MANIFEST = "manifest.msgpack"
RESULT = "result.msgpack"
LOG = "log.jsonl"
INPUTS = "in"
OUTPUTS = "out"
WORK = "work"
LAYOUT = frozenset({MANIFEST, INPUTS, OUTPUTS, WORK, RESULT, LOG})  # everything in a step directory

LOG_LARGEST = 32 << 20  # bytes of a log; the server leaves out the middle of a longer one
TOOL_FOLDERS = "BSKERNEL_TOOL_FOLDERS"  # variable of a session: folders that its steps may read, separated by colons
