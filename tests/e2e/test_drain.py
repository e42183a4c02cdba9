"""SIGTERM: readiness fails first, open connections are served on, what was begun is answered, then the door is shut."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import urllib.error
from pathlib import Path

import pytest

from tests.benchmarks.load import requests
from tests.e2e.processes import SECRET, Relay, http_json, sign, wait_for


def event(number: int) -> bytes:
    body = {"type": "track", "event": "Order Completed", "messageId": f"drain-{number}", "userId": "jane"}
    return json.dumps(body).encode()


class Client:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def ask(self, wire: bytes) -> str:
        """Head of the answer, lower case."""
        self.socket.sendall(wire)
        return self.answer()

    def answer(self) -> str:
        text = b""
        while not text.endswith(b"}"):
            more = self.socket.recv(65_536)
            assert more, text
            text += more
        return text.partition(b"\r\n\r\n")[0].decode().lower()

    def hung_up(self) -> bool:
        with contextlib.suppress(ConnectionResetError):
            return self.socket.recv(1) == b""
        return True


def readiness(relay: Relay) -> tuple[int, str]:
    try:
        return 200, str(http_json(f"{relay.url}/readyz")["why"])
    except urllib.error.HTTPError as error:
        return error.code, str(json.loads(error.read())["why"])


@pytest.mark.e2e
@pytest.mark.timeout(60)
def test_the_way_out(tmp_path: Path) -> None:
    paused = {"RELAY_DESTINATIONS__0__MODE": "paused", "RELAY_INTAKE__STOP_GRACE": "3s"}
    relay = Relay.create(tmp_path, "http://127.0.0.1:9", None, **paused)
    try:
        relay.up()
        assert relay.child is not None
        kept, slow = Client(relay.port), Client(relay.port)
        assert "connection: close" not in kept.ask(requests([event(1)])[0])
        body = event(2)
        head = f"POST /webhook/segment HTTP/1.1\r\nHost: x\r\nX-Signature: {sign(body, SECRET)}\r\n"
        slow.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:10])

        relay.child.send_signal(signal.SIGTERM)
        wait_for("readiness to fail", lambda: readiness(relay) == (503, "stopping"), 3)
        answer = kept.ask(requests([event(3)])[0])
        assert answer.startswith("http/1.1 200 ")
        assert "connection: close" in answer
        assert kept.hung_up()
        late = Client(relay.port)
        assert late.ask(requests([event(4)])[0]).startswith("http/1.1 200 ")

        wait_for("the door to be shut", lambda: not accepts(relay.port), 10)
        slow.socket.sendall(body[10:])
        assert slow.answer().startswith("http/1.1 200 ")
        assert slow.hung_up()
        assert relay.child.wait(30) == 0
        assert '"clean": true' in relay.tail()
        for client in (kept, slow, late):
            client.socket.close()
    finally:
        relay.kill()
        relay.kill_valkey()


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False
