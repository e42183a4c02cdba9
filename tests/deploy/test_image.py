"""The Dockerfile: what it copies exists, what it runs works, and what it leaves running is not root."""

from __future__ import annotations

import http.server
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def steps(root: Path) -> list[tuple[str, str]]:
    """(instruction, arguments) with continued lines joined."""
    text = (root / "deploy/Dockerfile").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text))
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


def arguments(root: Path, instruction: str) -> list[str]:
    return [rest for name, rest in steps(root) if name == instruction]


def copied(root: Path) -> list[str]:
    """What comes from the repository."""
    return [name for rest in arguments(root, "COPY") if not rest.startswith("--from") for name in rest.split()[:-1]]


def test_two_stages_and_the_last_has_no_tools_of_the_first(root: Path) -> None:
    order = [name for name, _ in steps(root)]
    last = len(order) - order[::-1].index("FROM")
    assert order.count("FROM") == 2
    assert "pip" not in " ".join(rest for _, rest in steps(root)[last:])
    assert arguments(root, "COPY")[-1] == "--from=build /opt/relay /opt/relay"


def test_it_does_not_run_as_root_and_owns_its_data(root: Path) -> None:
    [user] = arguments(root, "USER")
    created = arguments(root, "RUN")[-1]
    assert user == "10001:10001"
    assert "--uid 10001" in created
    assert "--gid 10001" in created
    assert re.search(r"install --directory --owner=relay --group=relay --mode=0700 /data", created)
    assert arguments(root, "VOLUME") == ["/data"]
    assert "RELAY_DATA_DIR=/data" in arguments(root, "ENV")[0]


def test_signals_reach_the_relay(root: Path) -> None:
    assert json.loads(arguments(root, "ENTRYPOINT")[0]) == ["relay"]
    assert json.loads(arguments(root, "CMD")[0]) == ["serve"]
    assert arguments(root, "STOPSIGNAL") == ["SIGTERM"]


def test_the_build_sees_what_it_copies_and_nothing_else(root: Path) -> None:
    lines = (root / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert "*" in lines
    assert sorted(allowed) == sorted(name.removeprefix("./") for name in copied(root))
    assert all((root / name).exists() for name in allowed)


@contextmanager
def healthz(status: int) -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
            """Silence."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def check_health(root: Path, port: int) -> int:
    """Run the image's health check against a port of this machine."""
    [healthcheck] = arguments(root, "HEALTHCHECK")
    command = json.loads(healthcheck[healthcheck.index("[") :])
    assert command[0] == "python"
    environ = {**os.environ, "RELAY_PORT": str(port)}
    return subprocess.run([sys.executable, *command[1:]], env=environ, capture_output=True, check=False).returncode


def test_the_health_check_tells_up_from_down(root: Path) -> None:
    with healthz(200) as port:
        assert check_health(root, port) == 0
    with healthz(503) as port:
        assert check_health(root, port) != 0
    assert check_health(root, port) != 0


def test_requirements_are_pinned_hashed_and_without_addresses(root: Path) -> None:
    text = (root / "requirements.txt").read_text(encoding="utf-8")
    joined = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    assert len(joined) > 20
    for line in joined:
        assert re.match(r"[a-z0-9][\w.-]*==[\w.]+", line), f"not a pinned package: {line[:80]}"
        assert "--hash=sha256:" in line
        assert "://" not in line


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_the_install_steps_work_in_a_clean_environment(root: Path, tmp_path: Path) -> None:
    """The RUN and COPY lines of the build stage, with another place for /opt/relay; then the command starts."""
    source, home = tmp_path / "src", tmp_path / "opt-relay"
    source.mkdir()
    for name in copied(root):
        target = source / name
        if (root / name).is_dir():
            shutil.copytree(root / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, target)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("RELAY_", "PYTHON"))}
    for line in arguments(root, "RUN")[:-1]:
        words = shlex.split(line.replace("/opt/relay", str(home)))
        words[0] = sys.executable if words[0] == "python" else words[0]
        subprocess.run(words, cwd=source, env=environ, check=True)
    version = subprocess.run(
        [home / "bin/relay", "--version"], cwd=tmp_path, env=environ, capture_output=True, check=True
    )
    assert version.stdout
    where = "import relay, pathlib; print(pathlib.Path(relay.__file__).parent)"
    installed = subprocess.run(
        [home / "bin/python", "-c", where], cwd=tmp_path, env=environ, capture_output=True, check=True
    )
    package = Path(installed.stdout.decode().strip())
    assert package.is_relative_to(home)
    wanted = {path.relative_to(root / "relay") for path in (root / "relay").rglob("*") if is_data(path)}
    assert wanted
    assert not {str(path) for path in wanted if not (package / path).exists()}


def is_data(path: Path) -> bool:
    """Files beside the code that the relay reads at run time."""
    return path.suffix in {".lua", ".json", ".dict"}
