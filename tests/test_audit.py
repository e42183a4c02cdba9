"""The audit of what is locked, against a database of our own making."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests import audit
from tests.e2e.processes import free_port

KNOWN = {"aiohttp": ["GHSA-made-up-1", "PYSEC-0000-1"]}


class Database(BaseHTTPRequestHandler):
    """Answers as osv.dev does: results in the order of the queries, empty where nothing is known."""

    asked: list[dict[str, object]] = []  # noqa: RUF012 - one server a test, cleared by it

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.asked.extend(queries)
        names = [query["package"]["name"] for query in queries]
        results = [{"vulns": [{"id": one} for one in KNOWN[name]]} if name in KNOWN else {} for name in names]
        body = json.dumps({"results": results}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Nothing."""


@pytest.fixture
def database() -> Iterator[str]:
    Database.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), Database)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/querybatch"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_known_against_a_locked_version_is_named(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(database) == 1
    said = capsys.readouterr().out
    assert said.startswith("audit: aiohttp 3.")
    assert "GHSA-made-up-1, PYSEC-0000-1" in said
    assert len(Database.asked) == len(audit.locked()) > 30
    assert {
        "package": {"name": "orjson", "ecosystem": "PyPI"},
        "version": dict(audit.locked())["orjson"],
    } in Database.asked


def test_nothing_known(database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(KNOWN, "aiohttp")
    assert audit.main(database) == 0
    assert "nothing is known against" in capsys.readouterr().out


def test_no_database_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(f"http://127.0.0.1:{free_port()}/") == 0
    assert capsys.readouterr().out.startswith("audit skipped: ")
