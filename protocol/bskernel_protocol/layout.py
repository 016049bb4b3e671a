"""File names inside a step directory and beside it, and the environment variable that names what lies elsewhere."""

MANIFEST = "manifest.msgpack"
RESULT = "result.msgpack"
LOG = "log.jsonl"
INPUTS = "in"
OUTPUTS = "out"
WORK = "work"
LAYOUT = frozenset({MANIFEST, INPUTS, OUTPUTS, WORK, RESULT, LOG})  # everything in a step directory

# A step directory may lie in a slot, SLOT/steps/NAME: one process may run all steps of a slot. Their inputs then lie
# in the folder of the same path below this one, beside the folder of all steps.
SLOT_INPUTS = "inputs"
LOG_LARGEST = 32 << 20  # bytes of a log; the server leaves out the middle of a longer one
TOOL_FOLDERS = "BSKERNEL_TOOL_FOLDERS"  # variable of a session: folders that its steps may read, separated by colons
