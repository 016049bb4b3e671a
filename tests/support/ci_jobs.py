"""CI jobs of the documentation, run as a runner would: steps in order, in one folder, each by its own shell.

What is a service's own (checkout, caches, artifacts) does here what it is documented to do; anything else that a job
uses is an error, so that a job cannot come to rest on what no test has seen.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from support.paths import ROOT

SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c")  # as GitHub's and GitLab's runners call it
Execute = Callable[[list[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def read_yaml(text: str) -> Any:
    """Plain data in which `on` and `true` stay texts."""
    return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts, lists and dicts only


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def jobs_of_page(page: Path, name: str) -> dict[str, Any]:
    """The one YAML block of a page that begins with a comment naming that file."""
    (text,) = [block for block in blocks(page, "yaml") if block.startswith(f"# {name}\n")]
    data: dict[str, Any] = read_yaml(text)
    return data


class GitHub:
    """A runner of one machine: `home` is the machine, `caches` is what the service keeps between machines."""

    def __init__(self, execute: Execute, home: Path, repository: Path, caches: Path) -> None:
        self._execute = execute
        self.repository = repository
        self._caches = caches
        self._files = {name: home / f".{name}" for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        (home / "temp").mkdir()
        self.environment = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(repository),
            "GITHUB_ACTION_PATH": str(ROOT),
            "RUNNER_TEMP": str(home / "temp"),
            **{name: str(path) for name, path in self._files.items()},
        }
        for path in self._files.values():
            path.touch()
        self.said = ""  # what the steps printed
        self.restored: list[str] = []  # keys of caches
        self.uploaded: list[Path] = []

    @property
    def summary(self) -> str:
        """The summary of the job."""
        return self._files["GITHUB_STEP_SUMMARY"].read_text()

    def run(self, job: Mapping[str, Any], context: Mapping[str, str]) -> int:
        """The exit code of the step that failed, or 0. `context` has values of expressions, e.g. github.base_ref."""
        assert job["runs-on"] == "ubuntu-latest"
        return self._steps(job["steps"], {**context, **{f"env.{k}": v for k, v in job.get("env", {}).items()}})

    def _steps(self, steps: list[Mapping[str, Any]], context: Mapping[str, str]) -> int:
        known, failed = dict(context), 0
        for step in steps:
            condition = step.get("if", "")
            if failed and "always()" not in condition:
                continue
            if "cache-hit != 'true'" in condition and known[condition.split()[2]] == "true":
                continue
            assert set(step) <= {"id", "if", "uses", "with", "env", "run", "shell"}, step
            code = self._uses(step, known) if "uses" in step else self._shell(step, known)
            failed = failed or code
        return failed

    def _shell(self, step: Mapping[str, Any], known: dict[str, str]) -> int:
        assert "${{" not in step["run"], "values belong into env: there they are no code"
        own = {name: fill(value, known) for name, value in step.get("env", {}).items()}
        path = ":".join([*reversed(self._files["GITHUB_PATH"].read_text().split()), "/usr/local/bin:/usr/bin:/bin"])
        done = self._execute([*SHELL, step["run"]], {"PATH": path, **self.environment, **own})
        self.said += done.stdout + done.stderr
        for line in self._files["GITHUB_OUTPUT"].read_text().splitlines():
            name, _, value = line.partition("=")
            known[f"steps.{step.get('id')}.outputs.{name}"] = value
        self._files["GITHUB_OUTPUT"].write_text("")
        return done.returncode

    def _uses(self, step: Mapping[str, Any], known: dict[str, str]) -> int:
        given = {name: fill(value, known) for name, value in step.get("with", {}).items()}
        name = step["uses"].partition("@")[0]
        if name == "OWNER/bskernel":
            return self._action(given, known)
        if name == "actions/cache/restore":
            self._restore(given, step["id"], known)
        elif name == "actions/cache/save":
            self._save(given)
        elif name == "actions/upload-artifact":
            self.uploaded.append(self.repository / given["path"])
        else:
            assert name in {"actions/checkout", "astral-sh/setup-uv"}, name
        return 0

    def _action(self, given: Mapping[str, str], known: Mapping[str, str]) -> int:
        action = read_yaml((ROOT / "action.yml").read_text())
        assert given.keys() <= action["inputs"].keys()
        inputs = {name: given.get(name, about["default"]) for name, about in action["inputs"].items()}
        runner = {"runner.os": "Linux", "runner.arch": "X64"}
        return self._steps(
            action["runs"]["steps"], runner | {f"inputs.{name}": value for name, value in inputs.items()}
        )

    def _restore(self, given: Mapping[str, str], step: str, known: dict[str, str]) -> None:
        wanted = [given["key"], *given.get("restore-keys", "").split()]
        names = sorted(folder.name for folder in self._caches.iterdir())
        found = next((name for key in wanted for name in names if name.startswith(key)), None)
        known[f"steps.{step}.outputs.cache-hit"] = str(found == given["key"]).lower()
        if found is not None:
            self.restored.append(found)
            for number, path in enumerate(map(Path, given["path"].split())):
                if (kept := self._caches / found / str(number)).exists():
                    shutil.copytree(kept, path, symlinks=True, dirs_exist_ok=True)

    def _save(self, given: Mapping[str, str]) -> None:
        for number, path in enumerate(map(Path, given["path"].split())):
            if path.exists():
                shutil.copytree(path, self._caches / given["key"] / str(number), symlinks=True)


def fill(text: str, known: Mapping[str, str]) -> str:
    """A value with its expressions replaced; `hashFiles` is one that is the same for all files of a test."""
    return EXPRESSION.sub(lambda found: "files" if found[1].startswith("hashFiles(") else known[found[1]], text)


def run_gitlab(
    job: Mapping[str, Any], execute: Execute, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run the script of a GitLab job whose variables may name one another."""
    known = dict(environment)
    for name, value in job["variables"].items():
        known[name] = re.sub(r"\$(\w+)", lambda found: known.get(found[1], ""), value)
    return execute([*SHELL, "\n".join(job["script"])], known)


def gitlab_component(inputs: Mapping[str, str]) -> dict[str, Any]:
    """The one job of the component with these inputs."""
    text = (ROOT / "templates" / "bskernel.yml").read_text()
    head, _, body = text.partition("\n---\n")
    declared = read_yaml(head)["spec"]["inputs"]
    assert inputs.keys() <= declared.keys()
    values = {name: inputs[name] if name in inputs else about["default"] for name, about in declared.items()}
    filled = re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: values[found[1]], body)
    (job,) = read_yaml(filled).values()
    return dict(job)
