"""Validates RO-Crates without a network, and reads them: python validate.py CRATE..., prints JSON by crate.

The one document that the checks would download is the context of RO-Crate 1.1, which rocrate contains.
"""

import importlib.resources
import io
import json
import sys
import tempfile
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests_cache import CachedSession
from rocrate.rocrate import ROCrate
from rocrate_validator import models, services
from runcrate.report import dump_crate_actions
from urllib3 import HTTPResponse

_CONTEXT = "https://w3id.org/ro/crate/1.1/context"


class _Packaged(BaseAdapter):
    """Answers with the context that rocrate contains."""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        data = (importlib.resources.files("rocrate") / "data" / "ro-crate.jsonld").read_bytes()
        assert json.loads(data)["@id"] == _CONTEXT
        response = requests.Response()
        response.status_code, response.url, response.request = 200, _CONTEXT, request
        headers = {"Content-Type": "application/ld+json"}
        response.raw = HTTPResponse(io.BytesIO(data), headers=headers, status=200, preload_content=False)
        response.headers.update(headers)
        return response

    def close(self) -> None:
        pass


def check(crate: str, cache: str) -> dict[str, Any]:
    """What the profile's checks, and those of the profiles that it inherits from, say of a crate."""
    settings = services.ValidationSettings(
        rocrate_uri=crate,
        profile_identifier="workflow-run-crate",
        requirement_severity=models.Severity.RECOMMENDED,
        offline=True,
        cache_path=cache,
    )
    result = services.validate(settings)
    issues = {(issue.severity.name, issue.check.identifier, issue.message) for issue in result.get_issues()}
    report = io.StringIO()
    dump_crate_actions(ROCrate(crate), report)
    return {
        "checks": len(result.executed_checks),
        "skipped": len(result.skipped_checks),
        "issues": sorted(issues),
        "report": report.getvalue(),
    }


with tempfile.TemporaryDirectory() as folder:
    with CachedSession(f"{folder}/http", backend="sqlite") as session:
        session.mount(_CONTEXT, _Packaged())
        session.get(_CONTEXT)
    print("\n" + json.dumps({crate: check(crate, f"{folder}/http") for crate in sys.argv[1:]}))
