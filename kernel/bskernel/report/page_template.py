"""Pages that need nothing beside them, from templates. The only module that imports jinja2.

jinja2 escapes what it puts into a page. The policy of a page lets only its own script run, by digest, and forbids it
to load anything.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.report.page.figures import figure, number, percent, shape_text, size_text, with_unit
from bskernel.report.page.palette import DARK, LIGHT, style_of
from bskernel.report.significant_digits import rounded
from bskernel.result.report_file import whole_page

_FILES = Path(__file__).with_name("page_files")
_SHARED = ("page.css", "page.js")  # the colours, tables and parts of every page


def render_template(
    template: Path, values: Mapping[str, Any], *, document: str, digest: str, style: str = "", script: str = ""
) -> str:
    """The page of a template that extends frame.html.j2, made from `document` with that SHA-256.

    `style` and `script` are added to those of every page. Raises EnvironmentLacking without jinja2.
    """
    environment = _environment(require_jinja2(), template.parent)
    shared = {name: (_FILES / name).read_text(encoding="utf-8") for name in _SHARED}
    light, dark = style_of(LIGHT), style_of(DARK)
    scheme = f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    scripts = shared["page.js"] + script
    html = str(
        environment.get_template(template.name).render(
            **values,
            style=safe(scheme + shared["page.css"] + style),
            script=safe(scripts),
            script_digest=base64.b64encode(hashlib.sha256(scripts.encode()).digest()).decode(),
        )
    )
    return whole_page(html, document, digest)


def safe(text: str) -> Any:
    """A text that is not escaped again: this package's own, or one that escaped itself what came from outside.

    Raises EnvironmentLacking without jinja2.
    """
    require_jinja2()
    from markupsafe import Markup  # which jinja2 needs

    return Markup(text)  # noqa: S704


def require_jinja2() -> Any:
    """The module jinja2. Raises EnvironmentLacking without it."""
    try:
        import jinja2
    except ImportError:
        raise EnvironmentLacking("a report needs jinja2", hint="pip install 'bskernel[report]'") from None
    return jinja2


@functools.cache  # compiling the templates takes longer than filling them: a sweep has a page for each point
def _environment(jinja2: Any, folder: Path) -> Any:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _FILES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": number,
        "percent": percent,
        "rounded": rounded,
        "seconds": lambda seconds: with_unit(1000 * seconds, "ms") if seconds < 60 else f"{seconds / 60:.1f} min",
        "shape": shape_text,
        "shown": lambda value: value if isinstance(value, str) else msgspec.json.encode(value).decode(),
        "size": size_text,
        "unit": lambda found: figure(found.value, found.unit)[1],
        "value": lambda found: figure(found.value, found.unit)[0],
    }
    return environment
