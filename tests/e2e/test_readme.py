"""The README as a newcomer reads it: every command in it runs here."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from relay.cli.drilling.ledger import Ledger, Promise
from relay.cli.drilling.scenarios import SCENARIOS
from relay.cli.drilling.view import print_ledger
from tests.conftest import ROOT, missing
from tests.e2e.processes import SECRET, Relay, clean_environ, free_port, playground, sign, wait_for
from tests.picture.__main__ import PICTURE, WIDTH

RELAY = [sys.executable, "-m", "relay"]


def commands(root: Path) -> list[str]:
    """Every line of every ``sh`` block, comments off, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    text = "\n".join(re.sub(r"^ {3}", "", block, flags=re.MULTILINE) for block in blocks).replace("\\\n", " ")
    return [line for raw in text.splitlines() if (line := re.sub(r"\s+# .*$", "", raw).strip())]


PROVED_ELSEWHERE = {
    "make test": "this very run; .ci/run calls it",
    "make check": ".ci/run calls it",
    "make bench": "test_the_other_make_targets_start_what_they_say",
    "make fuzz": "test_the_target_that_fuzzes_names_its_tests_and_its_seed",
    "make proof": "test_the_other_make_targets_start_what_they_say",
    "make picture": "test_the_other_make_targets_start_what_they_say",
    ".venv/bin/relay drill": "tests/cli/drilling/test_drill.py",
    "relay drill --report drill-report": "tests/cli/drilling/test_drill.py",
    "relay drill --scenario token": "tests/cli/drilling/test_drill.py",
    "relay drill --scenario all": "tests/cli/drilling/test_command.py",
    "relay trace MESSAGE_ID": "tests/e2e/test_trace.py",
    "relay incidents": "tests/e2e/test_incidents.py",
    "relay report latest --format html --output report.html": "tests/e2e/test_incidents.py",
    "relay forget USER_ID": "tests/e2e/test_forget.py, tests/cli/test_forget.py",
    "relay replay": "tests/e2e/test_replay.py, tests/cli/test_replay.py",
    "relay failover tiktok": "tests/e2e/test_standby.py",
    "relay failback tiktok": "tests/e2e/test_standby.py",
}
RUN_HERE = {
    "make run",
    "curl -s http://127.0.0.1:8080/webhook/segment",
    ".venv/bin/relay status",
    "export RELAY_TIKTOK_PIXEL_CODE",
    "export RELAY_SEGMENT_SHARED_SECRET",
    "relay check",
    "relay serve",
    "relay status",
    "relay dead-letters list tiktok",
    "relay dead-letters requeue tiktok --all",
    "relay dead-letters discard tiktok --all",
    "relay pause tiktok && relay resume tiktok",
    "relay preview events.jsonl",
    'curl -s "https://api.segmentapis.com/destinations/',
    "relay preview orders.jsonl --mapping shop-mapping.json",
    "relay send events.jsonl",
    "relay send segment-logs",
    "head -c 32 /dev/urandom | base64",
}


def test_every_command_of_the_readme_is_run_somewhere(root: Path) -> None:
    found = commands(root)
    assert len(found) >= 14
    for command in found:
        known = any(command.startswith(name) for name in (*PROVED_ELSEWHERE, *RUN_HERE))
        assert known, f"no test runs: {command}"
    for name in RUN_HERE:
        assert any(command.startswith(name) for command in found), f"the README no longer says: {name}"
    text = (root / ".ci" / "run").read_text()
    assert "make check" in text
    assert "make test" in text


@pytest.mark.parametrize(
    ("target", "module"), [("bench", "tests.benchmarks"), ("proof", "tests.proof"), ("picture", "tests.picture")]
)
def test_the_other_make_targets_start_what_they_say(root: Path, target: str, module: str) -> None:
    said = subprocess.run(["make", "-n", target], cwd=root, capture_output=True, text=True, check=True).stdout
    assert f"-m {module}" in said
    assert (root / Path(*module.split("."), "__main__.py")).is_file()


def test_the_target_that_fuzzes_names_its_tests_and_its_seed(root: Path) -> None:
    said = subprocess.run(["make", "-n", "fuzz", "SEED=5"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert "make fuzz SEED=5" in said
    assert "--hypothesis-seed=5" in said
    found = re.findall(r"tests/\S+\.py", said)
    assert len(found) == 2
    assert all("RELAY_FUZZ" in (root / name).read_text() for name in found)


def test_the_ledger_and_the_picture_are_what_a_drill_makes(root: Path) -> None:
    text = section(root, "Drill")
    shown = io.StringIO()
    said = (("delivered again after 9.0 s (promise: 60 s)", True), ("no dead letters", True))
    promises = tuple(Promise(*promise) for promise in said)
    ledger = Ledger(3000, 64, 3000, 2226, 2226, 0, "", 2226, 23, 0, 0, 24.0, 0, 31.0, promises)
    print_ledger(Console(file=shown, width=160, highlight=False, markup=False), ledger)
    assert [line.rstrip() for line in shown.getvalue().splitlines()] == block(text, "text").splitlines()
    assert f"]({PICTURE.relative_to(ROOT)})" in text
    picture = PICTURE.read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(picture[16:20], "big") == WIDTH
    assert len(picture) < 150_000
    for name in SCENARIOS:
        assert f"| `{name}` |" in text


def fresh_clone(root: Path, folder: Path) -> Path:
    """What a newcomer gets: what is committed, in an empty folder."""
    if not (root / ".git").exists():
        missing("needs a git checkout to clone")
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True)
    return clone


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_two_commands_on_a_fresh_machine(root: Path, tmp_path: Path) -> None:
    clone = fresh_clone(root, tmp_path)
    (tmp_path / "home").mkdir()
    port, admin = free_port(), free_port()
    python = shutil.which("python3", path=os.defpath + ":" + os.environ.get("PATH", "")) or sys.executable
    environ = clean_environ(HOME=str(tmp_path / "home"), RELAY_PORT=str(port), RELAY_ADMIN_PORT=str(admin))
    environ.pop("VIRTUAL_ENV", None)
    environ["RELAY_SEGMENT_SHARED_SECRET"] = SECRET
    log = tmp_path / "make-run.log"
    started = time.monotonic()
    with log.open("wb") as out:
        make = subprocess.Popen(
            ["make", "run", f"PYTHON={python}"], cwd=clone, env=environ, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_for("make run to accept a signed event", lambda: make.poll() is not None or signed_event(port), 150)
        assert make.poll() is None, log.read_text()
        print(f"make run answered a signed webhook after {time.monotonic() - started:.0f} s")
        status = [str(clone / ".venv/bin/relay"), "status", "--json"]
        wait_for("delivery", lambda: delivered(status, environ, clone) == 1, 20)
        curl = next(line for line in commands(root) if line.startswith("curl"))
        send_as_curl(curl.replace(":8080", f":{port}"))
        wait_for("delivery", lambda: delivered(status, environ, clone) == 2, 20)
    finally:
        os.killpg(make.pid, signal.SIGTERM)
        make.wait(60)
    said = log.read_text()
    assert "==> Starting" in said
    assert "SANDBOX" in said
    assert "Traceback" not in said


def signed_event(port: int) -> bool:
    body = b'{"type":"track","event":"Signed Up","messageId":"first","userId":"u"}'
    request = urllib.request.Request(f"http://127.0.0.1:{port}/webhook/segment", body, {"X-Signature": sign(body)})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return bool(answer.status == 200)


def send_as_curl(command: str) -> None:
    """The README's curl line by Python, signed because this relay was given a secret."""
    words = shlex.split(command)
    body = words[words.index("-d") + 1].encode()
    url = next(word for word in words if word.startswith("http"))
    assert json.loads(body)["event"] == "Order Completed"
    with urllib.request.urlopen(urllib.request.Request(url, body, {"X-Signature": sign(body)}), timeout=5) as answer:
        assert json.loads(answer.read()) == {"success": True}


def delivered(status: list[str], environ: dict[str, str], folder: Path) -> int:
    done = subprocess.run(status, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    document = json.loads(done.stdout or "{}")
    return sum(destination["delivered"] or 0 for destination in document.get("destinations", []))


def run(relay: Relay, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A relay command with the settings of a running relay."""
    return subprocess.run(
        [*RELAY, *words], env=relay.environ, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.e2e
def test_the_operators_commands(tmp_path: Path) -> None:
    event = {"type": "track", "event": "Order Completed", "messageId": "cli-1", "userId": "u"}
    bad = event | {"messageId": "cli-2", "properties": {"value": "not a number"}}
    (tmp_path / "events.jsonl").write_text(f"{json.dumps(event)}\n{json.dumps(bad)}\n")
    with playground(tmp_path, XDG_STATE_HOME=str(tmp_path / "state")) as (relay, simulator):
        sent = run(relay, "send", "events.jsonl", folder=tmp_path)
        assert sent.returncode == 0, sent.stderr
        wait_for("delivery", lambda: simulator.counted()["unique"] == 1)
        relay.drained()
        assert "tiktok" in run(relay, "status", folder=tmp_path).stdout
        letters = run(relay, "dead-letters", "list", "tiktok", folder=tmp_path)
        assert "unmappable" in letters.stdout
        filtered = ("--reason", "unmappable", "--event", "Order Completed", "--until", "2999-01-31", "--dry-run")
        discard = run(relay, "dead-letters", "discard", "tiktok", "--all", *filtered, folder=tmp_path)
        assert (discard.returncode, discard.stderr) == (0, "1 dead letters (1 unmappable), worth -\n")
        requeued = run(relay, "dead-letters", "requeue", "tiktok", "--all", folder=tmp_path)
        assert requeued.returncode == 0, requeued.stderr
        for word in ("pause", "resume"):
            assert run(relay, word, "tiktok", folder=tmp_path).returncode == 0
        preview = run(relay, "preview", "events.jsonl", folder=tmp_path)
        assert preview.returncode == 0, preview.stderr
        assert "CompletePayment" in preview.stdout
        backfill(relay, tmp_path)
        check = run(relay, "check", folder=tmp_path)
        assert "/webhook/segment" in check.stdout
        assert SECRET not in check.stdout + check.stderr
        for finished in (sent, letters, requeued, preview, check):
            assert "Traceback" not in finished.stdout + finished.stderr


def backfill(relay: Relay, folder: Path) -> None:
    """The README's window out of an archive of Segment's: one event of it, one of the day before."""
    for day, at in ((1_768_780_800_000, "2026-01-19T14:05:00Z"), (1_768_867_200_000, "2026-01-20T14:05:00Z")):
        (folder / "segment-logs" / "source" / str(day)).mkdir(parents=True)
        event = {"type": "track", "event": "Order Completed", "messageId": at, "receivedAt": at, "timestamp": at}
        with gzip.open(folder / "segment-logs" / "source" / str(day) / "1.gz", "wt") as out:
            out.write(json.dumps(event) + "\n")
    dry, real = (line for line in commands(Path(__file__).parents[2]) if line.startswith("relay send segment-logs"))
    judged = run(relay, *shlex.split(dry)[1:], folder=folder)
    assert judged.returncode == 0, judged.stderr
    for words in ("1 events in 1 files", "1768780800000", "older than max_age", "Nothing was sent."):
        assert words in judged.stdout
    sent = run(relay, *shlex.split(real)[1:], folder=folder)
    assert sent.returncode == 0, sent.stderr
    assert "1 of 1 accepted" in sent.stdout
    assert "of these: 1 new" in sent.stdout


@pytest.mark.e2e
def test_the_exports_are_enough_to_serve(tmp_path: Path) -> None:
    environ = clean_environ(
        RELAY_TIKTOK_PIXEL_CODE="PIXEL",
        RELAY_TIKTOK_ACCESS_TOKEN="made-up",
        RELAY_SEGMENT_SHARED_SECRET=SECRET,
        RELAY_SEGMENT_TOKEN="made-up",
        RELAY_TIKTOK_BASE_URL="http://127.0.0.1:9",
        RELAY_HOST="127.0.0.1",
        RELAY_PORT=str(free_port()),
        RELAY_ADMIN_PORT=str(free_port()),
    )
    serve = subprocess.Popen(
        [*RELAY, "serve"], env=environ, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for("relay serve", lambda: signed_event(int(environ["RELAY_PORT"])), 40)
    finally:
        serve.terminate()
        assert serve.wait(40) == 0


@pytest.mark.e2e
def test_a_key_as_the_readme_makes_it(root: Path, tmp_path: Path) -> None:
    made = block(section(root, "Personal data"), "sh").partition("#")[0]
    done = subprocess.run(["bash", "-c", made], capture_output=True, text=True, check=True, timeout=20)
    file = tmp_path / "key"
    file.write_text(done.stdout)
    environ = clean_environ(
        RELAY_ENCRYPTION_KEY_FILE=str(file),
        RELAY_TIKTOK_PIXEL_CODE="PIXEL",
        RELAY_TIKTOK_ACCESS_TOKEN="made-up",
        RELAY_DATA_DIR=str(tmp_path / "data"),
        RELAY_JOURNAL__DISK_FLOOR="1MiB",
    )
    check = [*RELAY, "check", "--offline"]
    told = subprocess.run(check, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "on: AES-256-GCM, key " in told.stdout
    assert done.stdout.strip() not in told.stdout


def section(root: Path, title: str) -> str:
    """One section of the README."""
    text = (root / "README.md").read_text(encoding="utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def block(text: str, language: str, number: int = 0) -> str:
    """The content of a code block."""
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found[number]


@contextlib.contextmanager
def segments_api(document: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Segment's Public API as far as the README uses it; what it was asked, by path and token."""
    asked: list[tuple[str, str]] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(document.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.e2e
def test_bring_your_own_mapping(root: Path, tmp_path: Path) -> None:
    text = section(root, "Bring your own Segment mapping")
    environ = clean_environ(DESTINATION_ID="d-1", SEGMENT_API_TOKEN="made-up")
    if not shutil.which("curl"):
        missing("needs curl")
    with segments_api(block(text, "json")) as (url, asked):
        curl = next(line for line in commands(root) if "api.segmentapis.com" in line)
        words = curl.replace("https://api.segmentapis.com", url)
        subprocess.run(["sh", "-c", words], cwd=tmp_path, env=environ, check=True, timeout=30)
    assert asked == [("/destinations/d-1/subscriptions?pagination.count=200", "Bearer made-up")]
    (tmp_path / "orders.jsonl").write_text(block(text, "json", 1), encoding="utf-8")
    preview = shlex.split(block(text, "sh", 1))[1:]
    done = subprocess.run([*RELAY, *preview], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    for line in block(text, "text").splitlines():
        assert line in done.stdout.splitlines()
    toml = block(text, "toml").replace("/run/secrets/tiktok_token", str(tmp_path / "token"))
    (tmp_path / "relay.toml").write_text(toml, encoding="utf-8")
    (tmp_path / "token").write_text("made-up")
    check = subprocess.run(
        [*RELAY, "check", "--offline"], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert re.search(r"ok +shop +\S+/shop-mapping\.json +1 subscription\b", check.stdout), check.stdout + check.stderr
    assert "PROBLEM" not in check.stdout
