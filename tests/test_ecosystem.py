"""The files for GitHub Actions, pre-commit and Docker do what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.projects import CHECKOUT, edit, generated_project, run

ACTION = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((CHECKOUT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
MARKER = "<!-- waiaas-migrate: app/migrations -->"


class Service(ThreadingHTTPServer):
    """A small part of GitHub's API: the files of pull request 7, and its comments."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: list[dict[str, str]] = []
        self.comments: dict[int, str] = {}
        self.requests: list[str] = []
        self.is_read_only = False

    @property
    def url(self) -> str:
        """Return the address of the API."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def _answer(self) -> None:
        path, _, query = self.path.partition("?")
        service, body = self.server, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = json.loads(body)["body"] if body else ""
        service.requests.append(f"{self.command} {path}")
        assert self.headers["Authorization"] == "Bearer secret"
        if service.is_read_only and self.command != "GET":
            self.send_error(403)
            return
        found: object = None
        if self.command == "GET":
            comments = [{"id": number, "body": text} for number, text in service.comments.items()]
            whole = service.files if path == "/repos/o/r/pulls/7/files" else comments
            page = int(query.partition("&page=")[2])
            found = whole[100 * (page - 1) : 100 * page]
        elif self.command == "POST":
            service.comments[len(service.comments) + 1] = text
        elif self.command == "PATCH":
            service.comments[int(path.rpartition("/")[2])] = text
        elif self.command == "DELETE":
            del service.comments[int(path.rpartition("/")[2])]
        self.send_response(200 if found is not None else 204)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode() if found is not None else b"")

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 — the base class calls them so

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    """Run the API."""
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Make a repository with a project in its folder ``app``."""
    generated_project(tmp_path / "app")
    (tmp_path / "event.json").write_text(json.dumps({"pull_request": {"number": 7}}), encoding="utf-8")
    return tmp_path


def run_step(step: dict[str, Any], workspace: Path, service: Service | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script of a step in the project, as the runner does."""
    programs = Path(sys.executable).parent
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "GITHUB_ACTION_PATH": str(CHECKOUT),
        "GITHUB_API_URL": service.url if service is not None else "",
        "GITHUB_EVENT_PATH": str(workspace / "event.json"),
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_TOKEN": "secret",
        "GITHUB_WORKSPACE": str(workspace),
    }
    return subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=workspace / "app",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def step_with(text: str) -> dict[str, Any]:
    """Return the step whose script contains ``text``."""
    (found,) = [step for step in STEPS if text in step.get("run", "")]
    return found


def comment(workspace: Path, service: Service) -> str:
    """Run the step that comments; return what it prints."""
    done = run_step(step_with("comment.py"), workspace, service)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_action_annotates(workspace: Path) -> None:
    """The step fails with an annotation at the line of the enum, until the migration is there."""
    step = step_with("waiaas-migrate check")
    assert run_step(step, workspace).returncode == 0
    edit(workspace / "app" / "kinds.py", '"done")', '"done", "late")')
    done = run_step(step, workspace)
    assert done.returncode == 1
    assert done.stdout.startswith("::error file=app/kinds.py,line=1,col=27,title=ENUM_CHANGED::")
    assert run_step(step_with("waiaas-migrate lint"), workspace).returncode in (0, 1)


def test_the_action_has_valid_steps() -> None:
    """Every expression refers to an input that exists, and every script has its shell."""
    text = (CHECKOUT / "action.yml").read_text(encoding="utf-8")
    used = {
        word.split("inputs.")[1].split(" ")[0].rstrip("}")
        for word in text.replace("\n", " ").split()
        if "inputs." in word
    }
    assert used == set(ACTION["inputs"])
    assert all(("shell" in step) == ("run" in step) for step in STEPS)


def test_the_comment_follows_the_pull_request(workspace: Path, service: Service) -> None:
    """The comment is written once, updated when the migration changes, and deleted with it; other comments stay."""
    service.comments = {1: "Looks good", 2: "<!-- waiaas-migrate: other/migrations -->"}
    name = "app/migrations/0001_initial.sql"
    service.files = [{"filename": f"app/x{number}", "status": "added"} for number in range(150)]
    service.files += [
        {"filename": name, "status": "added"},
        {"filename": "app/migrations/0001_initial.rollback.sql", "status": "added"},
        {"filename": "app/migrations/manifest.json", "status": "modified"},
        {"filename": "app/migrations/0000_gone.sql", "status": "removed"},
        {"filename": "migrations/0009_other.sql", "status": "added"},
    ]
    assert comment(workspace, service) == ""
    sql = (workspace / name).read_text(encoding="utf-8").rstrip("\n")
    assert service.comments[3] == (
        f"{MARKER}\n\n**1 new migration**\n\n<details open><summary><code>{name}</code></summary>\n\n"
        f"```sql\n{sql}\n```\n\n</details>\n"
    )
    (workspace / name).write_text("-- ````\nSELECT '@somebody';\n", encoding="utf-8")
    comment(workspace, service)
    assert "\n`````sql\n-- ````\nSELECT '@somebody';\n`````\n" in service.comments[3]
    assert len(service.comments) == 3
    service.files = []
    comment(workspace, service)
    assert service.comments == {1: "Looks good", 2: "<!-- waiaas-migrate: other/migrations -->"}
    service.requests.clear()
    comment(workspace, service)
    assert {request.partition(" ")[0] for request in service.requests} == {"GET"}


def test_long_migrations_are_cut(workspace: Path, service: Service) -> None:
    """A long migration is cut, so that the comment stays below GitHub's limit."""
    for number in (1, 2):
        name = f"app/migrations/000{number}_long.sql"
        (workspace / name).write_text("SELECT 'é';\n" * 10_000, encoding="utf-8")
        service.files.append({"filename": name, "status": "added"})
    comment(workspace, service)
    assert len(service.comments[1]) < 65_000
    assert service.comments[1].count(" more characters)") == 2


def test_a_token_that_may_only_read(workspace: Path, service: Service) -> None:
    """On a pull request from a fork, the comment is left out, and the check doesn't fail for it."""
    service.files = [{"filename": "app/migrations/0001_initial.sql", "status": "added"}]
    service.is_read_only = True
    said = comment(workspace, service)
    assert said == "::notice title=waiaas-migrate::The comment was not written: HTTP Error 403: Forbidden\n"


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_the_hooks_of_pre_commit(tmp_path: Path, hook: dict[str, Any]) -> None:
    """Each hook has the keys that pre-commit requires, and its command exists."""
    assert {"id", "name", "entry", "language"} <= hook.keys()
    program, *arguments = hook["entry"].split()
    assert program == "waiaas-migrate"
    assert run(generated_project(tmp_path), *arguments).status in (0, 1)


def test_the_image_has_all_that_the_wheel_needs() -> None:
    """The Dockerfile copies every file that pyproject.toml puts into the wheel, and .dockerignore lets it through."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "README.md", "LICENSE"}
    lines = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {word.rstrip("/") for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]}
    ignored = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied - {"--from=build", "/wheels"} == needed
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == needed
