"""What a scenario promises, judged without playing it: each way of breaking it is seen."""

from __future__ import annotations

from typing import Any

import pytest

from relay.cli.drilling.directions import Crash, Outage, Poison, Standby, Throttle, Token
from relay.cli.drilling.ledger import Counted, End, Obligations, Relay
from relay.cli.drilling.play import Direction

LOST = {Counted("Purchase", "a"), Counted("Purchase", "b")}
REFUSED = "Invalid value for event_id: not accepted."


def end(*counted: str, dead: dict[str, str] | None = None, bad: tuple[str, ...] = ()) -> End:
    rows = [{"event": "Purchase", "event_id": event_id, "times": 1, "counted": 1} for event_id in counted]
    letters: list[dict[str, Any]] = [
        {"message_id": name, "reason": "refused", "message": said} for name, said in (dead or {}).items()
    ]
    return End(Obligations(bad=set(bad)), rows, letters, Relay(0, 0, 0.0, 0.0))


def kept(direction: Direction, what: End) -> bool:
    return all(promise.kept for promise in direction.promises(what))


@pytest.mark.parametrize(
    ("direction", "what"),
    [
        (Outage(resumed_s=60.0), end()),
        (Throttle(resumed_s=3.0, calls=30, refused=10), end()),
        (Token(held=True, resumed_s=5.0), end()),
        (Poison(), end(dead={"x": REFUSED}, bad=("x",))),
        (Crash(owed=1, took_s=3.0, resumed_s=30.0), end()),
        (Standby(lost=LOST, stands_by=True), end("a", "b", "c")),
    ],
)
def test_kept(direction: Direction, what: End) -> None:
    assert kept(direction, what)


@pytest.mark.parametrize(
    ("direction", "what"),
    [
        (Outage(resumed_s=60.1), end()),
        (Outage(resumed_s=None), end()),
        (Outage(resumed_s=1.0), end(dead={"x": ""})),
        (Throttle(resumed_s=3.0, calls=30, refused=11), end()),
        (Throttle(resumed_s=3.0, calls=30, refused=0), end()),
        (Token(held=False, resumed_s=1.0), end()),
        (Token(held=True, resumed_s=5.1), end()),
        (Token(held=True, resumed_s=1.0, restarted=True), end()),
        (Token(held=True, resumed_s=1.0), end(dead={"x": ""})),
        (Poison(), end()),
        (Poison(), end(dead={"x": REFUSED}, bad=("x", "y"))),
        (Poison(), end(dead={"x": REFUSED, "good": REFUSED}, bad=("x",))),
        (Poison(), end(dead={"x": "some other words"}, bad=("x",))),
        (Crash(owed=0, took_s=3.0, resumed_s=3.0), end()),
        (Crash(owed=1, took_s=None, resumed_s=3.0), end()),
        (Crash(owed=1, took_s=3.0, resumed_s=31.0), end()),
        (Standby(lost=LOST, stands_by=True), end("a")),
        (Standby(lost=set(), stands_by=True), end("a")),
        (Standby(lost=LOST, stands_by=False), end("a", "b")),
        (Standby(lost=LOST, arrived=1, stands_by=True), end("a", "b")),
    ],
)
def test_broken(direction: Direction, what: End) -> None:
    assert not kept(direction, what)
