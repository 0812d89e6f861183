"""Follow the pages of the documentation with the programs of this checkout.

``python -m tests.support.pages PAGE FOLDER`` follows PAGE in an empty folder with the programs in FOLDER, such as those
of an installed wheel.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.projects import CHECKOUT

README = CHECKOUT / "README.md"
DOCS = CHECKOUT / "docs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: its language, the file that it is about, and its text."""

    language: str
    file: str
    text: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page that have a language, in order."""
    found = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(language=language, file=file, text=content) for language, file, content in found]


def run_blocks(folder: Path, text: str, programs: Path | None = None) -> None:
    """Follow the blocks of a page in ``folder``, with the ``programs`` of another environment if given.

    ``diff FILE`` edits a file. ``sql FILE`` is the expected content of a file. ``sh`` and ``python`` are run, and
    ``output`` is the expected output of the last one. Any other block with a file is written to it. ``sh 1`` must exit
    with 1.
    """
    printed = ""
    python = sys.executable if programs is None else str(programs / "python")
    for block in blocks(text):
        path = folder / block.file
        match block.language:
            case "diff":
                apply_diff(path, block.text)
            case "sql":
                assert block.text == path.read_text(encoding="utf-8")
            case "sh":
                status = int(block.file or 0)
                printed = run_command(folder, "sh", "-e", "-c", block.text, programs=programs, status=status)
            case "python" if not block.file:
                printed = run_command(folder, python, "-c", block.text, programs=programs)
            case "output":
                assert printed == block.text
            case "text":
                continue
            case _:
                path.write_text(block.text, encoding="utf-8")


def apply_diff(path: Path, diff: str) -> None:
    """Replace the lines that begin with a blank or a minus by those that begin with a blank or a plus, hunk by hunk."""
    text = path.read_text(encoding="utf-8")
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def readme_project(folder: Path) -> Path:
    """Follow the README's section "Start a project", up to its first migration."""
    folder.mkdir()
    start = README.read_text(encoding="utf-8").partition("\n## Start a project\n")[2]
    run_blocks(folder, start.partition("\n4. ")[0])
    return folder


def run_command(folder: Path, *command: str, programs: Path | None = None, status: int = 0) -> str:
    """Run a command with this environment's programs first, or those in ``programs``, and return its output."""
    done = subprocess.run(
        list(command),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(folder) if programs is None else {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a command in ``folder``: this checkout and its programs come first."""
    programs = (commands(folder.parent / "bin"), Path(sys.executable).parent, os.environ["PATH"])
    path = os.pathsep.join(map(str, programs))
    return {**os.environ, "PATH": path, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"}


def commands(folder: Path) -> Path:
    """Return a folder with ``waiaas-migrate`` and ``yoyo`` of this checkout and interpreter."""
    if not folder.exists():
        folder.mkdir()
        for name, module in (("waiaas-migrate", "waiaas_migrate"), ("yoyo", "yoyo")):
            script = folder / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n', encoding="utf-8")
            script.chmod(0o755)
    return folder


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        run_blocks(Path(scratch), Path(sys.argv[1]).read_text(encoding="utf-8"), Path(sys.argv[2]).absolute())
