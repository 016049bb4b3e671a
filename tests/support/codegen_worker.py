"""Runs in FINN's own environment: codegen_worker.py MODEL FOLDER PACKING RESULT, where PACKING is finn or bskernel.

Generates a model's code in FOLDER, which is empty, and writes the processor seconds and the code's digest to RESULT.
"""

import hashlib
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

from bskernel_executors.finn_step import library, memory_words

model, folder, packing, result = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
package = importlib.util.find_spec("finn")
assert package is not None
assert package.origin is not None
os.environ["FINN_BUILD_DIR"] = str(folder)
os.environ["FINN_RTLLIB"] = str(Path(package.origin).with_name("finn-rtllib"))
if packing == "finn":
    memory_words.pack_words_with = lambda pack_by_finn: pack_by_finn
library.load()

from finn.transformation.fpgadataflow.prepare_ip import PrepareIP  # noqa: E402
from finn.util.settings import initialize_dummy_settings  # noqa: E402
from qonnx.core.modelwrapper import ModelWrapper  # noqa: E402
from qonnx.custom_op.registry import getCustomOp  # noqa: E402

initialize_dummy_settings()
network = ModelWrapper(str(model))
began = time.process_time()
network = network.transform(PrepareIP("xczu7ev-ffvc1156-2-e", 5.0))
seconds = time.process_time() - began
code = hashlib.sha256()
for node in network.graph.node:
    layer = Path(getCustomOp(node).get_nodeattr("code_gen_dir_ipgen"))
    for path in sorted(path for path in layer.rglob("*") if path.is_file()):
        text = path.read_bytes().replace(str(layer).encode(), b"")
        code.update(f"{node.name}/{path.relative_to(layer)} {len(text)}\n".encode() + text)
found = {"seconds": seconds, "layers": len(network.graph.node), "digest": code.hexdigest()}
result.write_text(json.dumps(found), encoding="utf-8")
