"""What a step frees and takes again is the same memory: it costs no page fault a second time."""

import subprocess
import sys

BLOCK, TIMES = 8 << 20, 40  # bytes; more than the C library keeps by itself
PROGRAM = f"""
import resource, sys
from bskernel_executors.sdk.kept_memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
block = bytearray(b"x") * {BLOCK}
del block
before = faults()
for _ in range({TIMES}):
    blocks = [bytearray(b"x") * {BLOCK} for _ in range(2)]
    del blocks
print(faults() - before)
"""


def faults_of(how: str) -> int:
    return int(
        subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True).stdout
    )


def test_memory_that_is_freed_and_taken_again_faults_once() -> None:
    pages = 2 * BLOCK // 4096
    assert faults_of("kept") < 2 * pages
    assert faults_of("as it is") > 10 * pages  # else the promise above holds by itself, and the module can go
