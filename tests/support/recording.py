"""Record the terminal for the README, docs/recording.svg, from a real run.

Run ``python -m tests.support.recording`` in the checkout after the output of a command has changed.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.color import ANSI_COLOR_NAMES
from rich.style import Style
from rich.text import Text

from tests.support.projects import CHECKOUT, generated_project, run

RECORDING = CHECKOUT / "docs" / "recording.svg"

COLUMNS, ROWS = 80, 50
#: What is typed, and how long a reader needs before the next command, in seconds.
SCENES = (
    ("""sed -i 's/"done"/"done", "archived"/' kinds.py && cat kinds.py""", 2.5),
    ("waiaas-migrate check", 5.0),
    ("waiaas-migrate generate -m archived", 4.0),
    ("waiaas-migrate apply app.db", 2.5),
    ("waiaas-migrate check && waiaas-migrate drift app.db", 3.0),
)
_PROMPT = "$ "
#: The size of a character, the room around the text, and the height of the window's bar.
_WIDTH, _HEIGHT, _MARGIN, _BAR = 8.0, 19, 20, 34
_COLORS = {"red": "#ff7b72", "green": "#56d364", "yellow": "#e3b341", "prompt": "#8b949e"}
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img">
<title>A new enum value: check fails, generate writes the migration, apply runs it</title>
<style>
text {{ font: 13.3px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #e6edf3; }}
g {{ animation-name: wait; }}
.bold {{ font-weight: 700; }}
{classes}
@keyframes wait {{ from, to {{ opacity: 0; }} }}
@media (prefers-reduced-motion: reduce) {{ g {{ animation-name: none; }} }}
</style>
<rect width="{width:.0f}" height="{height:.0f}" rx="10" fill="#0d1117"/>
<circle cx="20" cy="18" r="5.5" fill="#30363d"/><circle cx="38" cy="18" r="5.5" fill="#30363d"/>
<circle cx="56" cy="18" r="5.5" fill="#30363d"/>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A command and its output, and when it shows, in seconds."""

    command: str
    output: str
    at: float


def recording() -> str:
    """Return the recording as an SVG; its lines appear one command after the other."""
    with TemporaryDirectory(dir="/tmp") as folder:
        project = generated_project(Path(folder))
        assert run(project, "apply", "app.db").status == 0
        return drawn(list(played(project)))


def played(folder: Path) -> Iterator[Shown]:
    """Run the commands in ``folder``, each on a terminal."""
    at = 0.5
    for command, pause in SCENES:
        yield Shown(command=command, output=on_terminal(folder, command), at=at)
        at += pause


def on_terminal(folder: Path, command: str) -> str:
    """Return what a command prints on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "CI")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "PATH": path, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    pieces = []
    try:
        while piece := os.read(ours, 1 << 16):
            pieces.append(piece)
    except OSError:  # on Linux, the end of a terminal is an error
        pass
    os.close(ours)
    process.wait()
    return b"".join(pieces).decode().replace("\r\n", "\n").replace(str(folder), "")


def drawn(scenes: list[Shown]) -> str:
    """Return the scenes as an SVG."""
    y = float(_BAR + _MARGIN)
    groups = []
    for scene in scenes:
        command = Text().append(_PROMPT, style="prompt").append(scene.command, style="bold")
        lines = [command, *(Text.from_ansi(scene.output).split("\n") if scene.output else [])]
        texts = []
        for line in lines:
            texts.append(f'<text x="{_MARGIN}" y="{y:g}" xml:space="preserve">{"".join(spans(line))}</text>')
            y += _HEIGHT
        groups.append(f'<g style="animation-duration:{scene.at:g}s">{"".join(texts)}</g>')
        y += _HEIGHT / 2
    classes = "\n".join(f".{name} {{ fill: {color}; }}" for name, color in _COLORS.items())
    head = _HEAD.format(width=COLUMNS * _WIDTH + 2 * _MARGIN, height=y, classes=classes)
    return head + "\n".join([*groups, "</svg>\n"])


def spans(line: Text) -> Iterator[str]:
    """Yield the pieces of a line, each with its color."""
    for piece in line.divide([at for span in line.spans for at in (span.start, span.end)]):
        words = escape(piece.plain, quote=False)
        names = " ".join(dict.fromkeys(name for span in piece.spans for name in classes_of(span.style)))
        if words:
            yield f'<tspan class="{names}">{words}</tspan>' if names else words


def classes_of(style: str | Style) -> Iterator[str]:
    """Yield the classes of a style: its color, and whether it is bold."""
    if isinstance(style, str):
        yield style
        return
    numbers = {number: name for name, number in ANSI_COLOR_NAMES.items()}
    if style.color is not None and style.color.number is not None:
        yield numbers[style.color.number].removeprefix("bright_")
    if style.bold:
        yield "bold"


if __name__ == "__main__":
    RECORDING.write_text(recording(), encoding="utf-8")
