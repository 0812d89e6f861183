"""Show the migrations of a pull request in a comment on it, which later runs update.

Reads what GitHub Actions sets: GITHUB_EVENT_PATH, GITHUB_REPOSITORY, GITHUB_API_URL, GITHUB_WORKSPACE and GITHUB_TOKEN.
"""

from __future__ import annotations

import html
import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from waiaas_migrate import find_project

#: GitHub refuses comments of more than 65,536 characters.
LONGEST_COMMENT = 60_000
PAGE = 100
_SHOWN = {".sql": "sql", ".py": "python"}


class GitHub:
    """The REST API (https://docs.github.com/rest)."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    def request(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 — JSON
        """Return the answer to a request."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/vnd.github+json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}/{path}", data, headers, method=method)  # noqa: S310 — GitHub's
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 — likewise
            text = answer.read()
        return json.loads(text) if text else None

    def items(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page by page."""
        number = 1
        while items := self.request("GET", f"{path}?per_page={PAGE}&page={number}"):
            yield from items
            if len(items) < PAGE:
                return
            number += 1


def new_migrations(github: GitHub, pull: str, folder: str) -> list[str]:
    """Return the paths of the migrations that the pull request adds or changes, without rollbacks."""
    files = (file["filename"] for file in github.items(f"{pull}/files") if file["status"] != "removed")
    return sorted(
        name
        for name in files
        if name.rpartition("/")[0] == folder
        and Path(name).suffix in _SHOWN
        and not name.endswith((".rollback.sql", "/__init__.py"))
    )


def comment_text(marker: str, names: list[str], workspace: Path) -> str:
    """Return the comment: each migration below its name, in a fence that nothing in it can close."""
    parts = [marker, f"**{len(names)} new migration{'s' * (len(names) != 1)}**"]
    room = LONGEST_COMMENT // max(len(names), 1)
    for name in names:
        text = (workspace / name).read_text(encoding="utf-8", errors="replace").rstrip("\n")
        if len(text) > room:
            text = f"{text[:room]}\n… ({len(text) - room:,} more characters)"
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
        summary = f"<details open><summary><code>{html.escape(name)}</code></summary>"
        parts += [summary, f"{fence}{_SHOWN[Path(name).suffix]}\n{text}\n{fence}", "</details>"]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write, update or delete the comment."""
    event = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    workspace = Path(os.environ["GITHUB_WORKSPACE"]).resolve()
    folder = find_project().migrations.resolve().relative_to(workspace).as_posix()
    repository, number = f"repos/{os.environ['GITHUB_REPOSITORY']}", event["pull_request"]["number"]
    github = GitHub(os.environ["GITHUB_API_URL"], os.environ["GITHUB_TOKEN"])
    marker = f"<!-- waiaas-migrate: {folder} -->"
    comments = f"{repository}/issues/{number}/comments"
    old = next((one["id"] for one in github.items(comments) if (one["body"] or "").startswith(marker)), None)
    names = new_migrations(github, f"{repository}/pulls/{number}", folder)
    if names:
        body = {"body": comment_text(marker, names, workspace)}
        if old is None:
            github.request("POST", comments, body)
        else:
            github.request("PATCH", f"{repository}/issues/comments/{old}", body)
    elif old is not None:
        github.request("DELETE", f"{repository}/issues/comments/{old}")


if __name__ == "__main__":
    try:
        main()
    except (urllib.error.URLError, OSError) as error:
        # The token of a pull request from a fork may only read.
        sys.stdout.write(f"::notice title=waiaas-migrate::The comment was not written: {error}\n")
