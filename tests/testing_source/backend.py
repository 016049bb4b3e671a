"""A build backend that lies in the tree it builds: the smallest wheel, with an entry point."""

import os
import zipfile
from pathlib import Path

METADATA = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\nRequires-Dist: a-package-that-there-is-not\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tiny\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def build_wheel(folder: str, settings: object = None, metadata: object = None) -> str:
    version = os.environ.get("SETUPTOOLS_SCM_PRETEND_VERSION", "unknown")
    files = {
        "tiny/__init__.py": Path("tiny/__init__.py").read_text(),
        "tiny-1.0.dist-info/METADATA": METADATA,
        "tiny-1.0.dist-info/WHEEL": WHEEL,
        "tiny-1.0.dist-info/entry_points.txt": f"[tiny.plugins]\nversion = tiny:{version}\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, "tiny-1.0.dist-info/RECORD"))
    with zipfile.ZipFile(Path(folder, "tiny-1.0-py3-none-any.whl"), "w") as wheel:
        for file, text in {**files, "tiny-1.0.dist-info/RECORD": record}.items():
            wheel.writestr(file, text)
    Path("litter").write_text("builds write into the tree that they build")
    return "tiny-1.0-py3-none-any.whl"
