"""The applications in docs/processes.md, docs/docker.md and docs/fastapi.md run on real servers."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
import yaml

from tests.support.pages import DOCS, blocks, environment, readme_project, run_command
from tests.support.projects import edit, execute, rows

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn and Unix sockets")

#: Rows that a rebuild copies, and that the applications don't list.
MANY_ROWS = """
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 50000)
    INSERT INTO tasks (id, title, state) SELECT 'done-' || n, 'Task ' || n, 'done' FROM number
"""


@contextmanager
def served(folder: Path, *command: str) -> Iterator[httpx.Client]:
    """Run a server in ``folder``, whose command ends with an option for a Unix socket; stop it at the end."""
    log = folder / "server.log"
    with TemporaryDirectory() as short, log.open("w", encoding="utf-8") as output:  # a socket's path has 107 bytes
        address = f"{short}/socket"
        server = subprocess.Popen(
            [*command[:-1], command[-1] + address],
            cwd=folder,
            stdout=output,
            stderr=output,
            env={**environment(folder), "DATABASE": "app.db", "HOME": short},
        )
        try:
            while not is_listening(address):
                assert server.poll() is None, log.read_text(encoding="utf-8")
                time.sleep(0.05)
            transport = httpx.HTTPTransport(uds=address, limits=httpx.Limits(max_connections=None))
            with httpx.Client(transport=transport, base_url="http://app", timeout=60) as client:
                yield client
        finally:
            server.terminate()
            server.wait(60)
    assert server.returncode in (0, -signal.SIGTERM), log.read_text(encoding="utf-8")


def is_listening(address: str) -> bool:
    """Return whether a server accepts connections at ``address``."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(address) == 0


def page_files(page: str, folder: Path) -> None:
    """Return the files that a page contains, by name."""
    for block in blocks((DOCS / page).read_text(encoding="utf-8")):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")


@pytest.mark.parametrize("migrates", ["master", "workers", "preloaded workers"])
def test_gunicorn(tmp_path: Path, migrates: str) -> None:
    """Three workers that start together on an empty database serve every request, and write every row once."""
    folder = readme_project(tmp_path / "project")
    page_files("processes.md", folder)
    (folder / "app.db").touch()
    if migrates != "master":
        edit(
            folder / "gunicorn.conf.py",
            '\n\ndef on_starting(server):\n    apply(os.environ["DATABASE"], "migrations")\n',
            "",
        )
        edit(folder / "app.py", "import connect, generate_id", "import generate_id, open_database")
        edit(folder / "app.py", "= connect(", "= open_database(")
        # Workers open the database as soon as they have started, before any request.
        with (folder / "gunicorn.conf.py").open("a", encoding="utf-8") as file:
            file.write("\n\ndef post_worker_init(worker):\n    __import__('app').connection()\n")
    options = ["--preload"] if migrates == "preloaded workers" else []
    with (
        served(folder, "gunicorn", "app:application", *options, "--bind=unix:") as client,
        ThreadPoolExecutor(16) as pool,
    ):
        answers = list(pool.map(lambda number: client.post(f"/{number}").status_code, range(100)))
    assert answers == [200] * 100
    assert rows(folder / "app.db", "SELECT count(*), count(DISTINCT title) FROM tasks") == [(100, 100)]
    assert rows(folder / "app.db", "SELECT migration_id FROM _yoyo_migration") == [("0001_initial",)]
    log = (folder / "server.log").read_text(encoding="utf-8")
    assert log.count("Booting worker") == 3, log


def test_docker(tmp_path: Path) -> None:
    """The files that the Dockerfile copies are enough for its entrypoint, which migrates and then serves requests."""
    folder = readme_project(tmp_path / "project")
    (folder / "requirements.txt").touch()
    page_files("processes.md", folder)
    page_files("docker.md", folder)
    steps = re.findall(r"^([A-Z]+) (.*)$", (folder / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    image = tmp_path / "image"
    image.mkdir()
    for sources in (arguments.split()[:-1] for step, arguments in steps if step == "COPY"):
        for source in sources:
            copy = shutil.copytree if source.endswith("/") else shutil.copy
            copy(folder / source, image / source)
    entrypoint, command = (json.loads(dict(steps)[step]) for step in ("ENTRYPOINT", "CMD"))
    assert dict(steps)["ENV"] == "DATABASE=/data/app.db"
    assert command.pop().startswith("--bind=")
    with served(image, *entrypoint, *command, "--bind=unix:") as client:
        assert client.post("/task").text == "1"
    assert "applied 0001_initial" in (image / "server.log").read_text(encoding="utf-8").splitlines()


def test_compose(tmp_path: Path) -> None:
    """The service that migrates runs ``apply`` on the database that the application opens."""
    page_files("docker.md", tmp_path)
    compose = yaml.safe_load((tmp_path / "compose.yaml").read_text(encoding="utf-8"))
    migrate, app = (compose["services"][name] for name in ("migrate", "app"))
    assert migrate["entrypoint"] == ["waiaas-migrate", "apply", "/data/app.db"]
    assert app["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert app["volumes"] == migrate["volumes"] == ["app-data:/data"]
    assert list(compose["volumes"]) == ["app-data"]


@pytest.mark.parametrize("module", ["app", "async_app"])
def test_fastapi_while_another_process_migrates(tmp_path: Path, module: str) -> None:
    """32 clients write and read without an error while another process rebuilds the table; every row is there."""
    folder = readme_project(tmp_path / "project")
    page_files("fastapi.md", folder)
    run_command(folder, "waiaas-migrate", "models", "-o", "tables.py")
    is_migrated = threading.Event()

    def write_and_read(number: int) -> list[str]:
        titles: list[str] = []
        last = None
        while last is None or len(titles) < last:
            if last is None and is_migrated.is_set():
                last = len(titles) + 3
            title = f"{number}-{len(titles)}"
            written, seen = client.post("/tasks", params={"title": title}), client.get("/tasks")
            assert (written.status_code, seen.status_code) == (200, 200)
            assert title in seen.json()
            titles.append(title)
        return titles

    server = "uvicorn", f"{module}:app", "--workers=2", "--uds="
    with served(folder, *server) as client, ThreadPoolExecutor(32) as pool:
        edit(
            folder / "schema.yaml",
            "title: {type: text, nullable: false}",
            "title: {type: text, nullable: false, collate: nocase}",
        )
        run_command(folder, "waiaas-migrate", "generate", "-m", "nocase")
        assert "rewrites the table" in (folder / "migrations" / "0002_nocase.sql").read_text(encoding="utf-8")
        assert client.get("/tasks").json() == []
        execute(folder / "app.db", MANY_ROWS)  # so that the migration takes a while
        clients = [pool.submit(write_and_read, number) for number in range(32)]
        try:
            applied = run_command(folder, "waiaas-migrate", "apply", "app.db")
        finally:
            is_migrated.set()
        titles = [title for one in clients for title in one.result()]
    assert applied == "applied 0002_nocase\n"
    found = rows(folder / "app.db", "SELECT title FROM tasks WHERE state = 'open'")
    assert sorted(str(title) for (title,) in found) == sorted(titles)
    assert rows(folder / "app.db", "SELECT count(*) FROM tasks WHERE state = 'done'") == [(50_000,)]
    assert run_command(folder, "waiaas-migrate", "drift", "app.db") == "app.db: no drift.\n"
