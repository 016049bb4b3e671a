"""AMD's part numbers as types of parameters: a build with a part of another kind ends before its first step."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

# Device, package, speed grade.
AMD_PATTERN = r"[xX][cC][0-9a-zA-Z]{2,9}-?[a-zA-Z]{3,4}[0-9]{3,4}(-[0-9a-zA-Z]+)+"
AMD_EXAMPLES = ("xczu7ev-ffvc1156-2-e", "xc7z020clg400-1")
AmdPart: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        pattern=f"^{AMD_PATTERN}$", extra_json_schema={"title": "part of AMD's", "examples": list(AMD_EXAMPLES)}
    ),
]
