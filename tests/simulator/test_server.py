"""The simulator over real HTTP."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from relay.simulator.control import SWITCHES, Control, as_json, updated
from relay.simulator.server import TRACK, simulator

CALL = {
    "event_source": "web",
    "event_source_id": "PIXEL",
    "data": [{"event": "Purchase", "event_time": 1_718_454_896, "event_id": "1"}],
}


class Wire:
    """A client of one simulator."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, **more: Any) -> tuple[int, Any, Any]:
        """Status, body (JSON where it is JSON), headers."""
        async with self._session.request(method, path, **more) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text(), answer.headers

    async def track(self, body: Any = CALL, **more: Any) -> tuple[int, Any, Any]:
        return await self.ask("POST", TRACK, json=body, headers={"Access-Token": "t"}, **more)

    async def control(self, **switches: Any) -> None:
        status, body, _ = await self.ask("PUT", "/control", json=switches)
        assert status == 200, body

    async def counted(self) -> Any:
        return (await self.ask("GET", "/counted"))[1]


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async with (
        simulator(0, updated(Control(), {"latency": 0})) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield Wire(session)


async def test_an_accepted_call(wire: Wire) -> None:
    status, body, headers = await wire.track()
    assert status == 200
    assert {name: body[name] for name in ("code", "message", "data")} == {"code": 0, "message": "OK", "data": {}}
    assert re.fullmatch(r"20\d{12}[0-9A-F]{16}", body["request_id"])
    assert headers["X-TT-LOGID"]


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("POST", TRACK.rstrip("/"), 404, "404 page not found"),
        ("GET", TRACK, 405, "Method Not Allowed"),
        ("PUT", TRACK, 405, "Method Not Allowed"),
        ("POST", "/open_api/v1.3/pixel/track/", 404, "Not Found"),
        ("GET", "/", 404, "Not Found"),
    ],
)
async def test_other_routes_answer_plain_text(wire: Wire, method: str, path: str, status: int, text: str) -> None:
    answered, body, headers = await wire.ask(method, path)
    assert (answered, body, headers["Content-Type"].split(";")[0]) == (status, text, "text/plain")
    assert headers["X-TT-LOGID"]


async def test_statuses_can_be_mapped(wire: Wire) -> None:
    _, missing, _ = await wire.ask("POST", TRACK, json=CALL)
    assert missing["code"] == 40104
    await wire.control(http_mode="mapped")
    assert (await wire.ask("POST", TRACK, json=CALL))[0] == 401
    assert (await wire.track({}))[0] == 400
    assert (await wire.track())[0] == 200
    await wire.control(outage="40100")
    assert (await wire.track())[0] == 401


async def test_switches_move_while_it_runs(wire: Wire) -> None:
    await wire.control(outage={"kind": "502", "for_s": 60})
    status, body, _ = await wire.track()
    assert status == 502
    assert "nginx" in body
    await wire.control(outage="none")
    assert (await wire.track())[0] == 200
    shown = (await wire.ask("GET", "/control"))[1]
    assert shown == {**as_json(Control()), "latency": [0.0, 0.0]}


async def test_a_wrong_switch_moves_nothing_and_names_the_known_ones(wire: Wire) -> None:
    status, body, _ = await wire.ask("PUT", "/control", json={"http_mode": "mapped", "nope": 1})
    assert status == 400
    assert all(name in body["problems"][0] for name in SWITCHES)
    assert (await wire.ask("GET", "/control"))[1]["http_mode"] == "always200"
    assert (await wire.ask("PUT", "/control", data=b"{"))[0] == 400
    assert (await wire.ask("PUT", "/control", json=[]))[0] == 400


async def test_the_books_over_http(wire: Wire) -> None:
    for _ in range(3):
        await wire.track()
    assert (await wire.ask("POST", "/pixel", json={**CALL, "event": "Purchase", "event_id": "1"}))[1] == {
        "fate": "merged"
    }
    found = await wire.counted()
    assert (found["unique"], found["duplicate"], found["merged"], found["doubled"]) == (1, 2, 1, 0)
    assert (found["requests"], found["by_code"]) == (3, {"0": 3})
    _, lines, headers = await wire.ask("GET", "/counted/ids")
    assert headers["Content-Type"] == "application/x-ndjson"
    counted = json.loads(lines)
    assert counted.pop("at_ms") > 0
    assert counted == {"event_source_id": "PIXEL", "event": "Purchase", "event_id": "1", "times": 4, "counted": 1}
    seconds = (await wire.ask("GET", "/counted/calls"))[1].splitlines()
    assert sum(json.loads(line)["calls"] for line in seconds) == 3
    assert (await wire.ask("DELETE", "/counted"))[1]["unique"] == 0
    assert (await wire.ask("GET", "/counted/ids"))[1] == ""
    assert (await wire.ask("GET", "/counted/calls"))[1] == ""
    assert (await wire.ask("POST", "/pixel", json=[]))[0] == 400


async def test_many_ids_come_complete(wire: Wire) -> None:
    for start in range(0, 5000, 1000):
        data = [{"event": "Lead", "event_time": 1, "event_id": str(start + n)} for n in range(1000)]
        assert (await wire.track({**CALL, "data": data}))[1]["code"] == 0
    assert (await wire.ask("GET", "/counted/ids"))[1].count("\n") == 5000


@pytest.mark.parametrize(("kind", "stored"), [("reset", 0), ("lost", 1)])
async def test_a_reset_is_a_reset(wire: Wire, kind: str, stored: int) -> None:
    await wire.control(outage=kind)
    with pytest.raises((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
        await wire.track()
    assert (await wire.counted())["unique"] == stored


@pytest.mark.parametrize("kind", ["hang", "lost_hang"])
async def test_a_hang_never_answers_and_stops_nothing(wire: Wire, kind: str) -> None:
    await wire.control(outage=kind)
    with pytest.raises(TimeoutError):
        await wire.track(timeout=aiohttp.ClientTimeout(total=0.1))
    await wire.control(outage="none")
    assert (await wire.track())[1]["code"] == 0


async def test_latency_is_waited(wire: Wire) -> None:
    await wire.control(latency=[60, 70])
    started = asyncio.get_running_loop().time()
    await wire.track()
    assert asyncio.get_running_loop().time() - started >= 0.06


async def test_two_simulators_keep_books_of_their_own() -> None:
    fast = updated(Control(), {"latency": 0})
    async with simulator(0, fast) as one, simulator(0, fast) as other, aiohttp.ClientSession() as session:
        headers = {"Access-Token": "t"}
        async with session.post(f"http://127.0.0.1:{one}{TRACK}", json=CALL, headers=headers):
            pass
        async with session.get(f"http://127.0.0.1:{other}/counted") as answer:
            assert (await answer.json())["requests"] == 0
