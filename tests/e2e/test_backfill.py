"""A backfill out of Segment's S3 archive, as processes: interrupted, killed, gone on with, counted once."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from relay.core.segment.timing import format_time
from tests.e2e.processes import Relay, http_json, playground, sign, wait_for

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SOURCES, PARTS, EVENTS = 2, 4, 250
OLD_DAYS = (3, 60)


def archive(folder: Path, now_ms: int) -> dict[str, list[str]]:
    """``segment-logs/{source}/{day}/{name}.gz``: of yesterday and today, of three days ago, of two months ago.

    Returns message ids by what has to become of them.
    """
    made: dict[str, list[str]] = {"sent": [], "overlap": [], "expired": []}
    for source in range(SOURCES):
        for part in range(PARTS):
            write(folder, f"s{source}", now_ms - (part + 1) * HOUR_MS, f"r{source}-{part}", EVENTS, made["sent"])
        for fate, days in zip(("overlap", "expired"), OLD_DAYS, strict=True):
            write(folder, f"s{source}", now_ms - days * DAY_MS, f"o{source}-{days}", 100, made[fate])
    return made


def write(folder: Path, source: str, at_ms: int, name: str, count: int, ids: list[str]) -> None:
    day = folder / "segment-logs" / source / str(at_ms // DAY_MS * DAY_MS)
    day.mkdir(parents=True, exist_ok=True)
    with gzip.open(day / f"{name}.gz", "wt") as out:
        for number in range(count):
            ids.append(f"{name}-{number}")
            at = format_time(at_ms + number)
            event: dict[str, Any] = {"type": "track", "event": "Order Completed", "messageId": ids[-1], "userId": "u"}
            event |= {"timestamp": at, "receivedAt": at, "properties": {"value": 2, "currency": "EUR"}}
            out.write(json.dumps(event) + "\n")


def start(relay: Relay, folder: Path, *words: str) -> subprocess.Popen[str]:
    """``relay send archive`` with the settings of the relay."""
    environ = relay.environ | {"XDG_STATE_HOME": str(folder / "state")}
    command = [sys.executable, "-m", "relay", "send", "archive", *words]
    return subprocess.Popen(command, env=environ, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def done(relay: Relay, folder: Path, *words: str) -> tuple[dict[str, Any], str]:
    """To its end, which must be a good one: the document it prints, and what it said beside."""
    child = start(relay, folder, *words, "--json")
    out, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    document: dict[str, Any] = json.loads(out)
    return document, said


def accepted(relay: Relay) -> int:
    """Entries the relay took in."""
    books = [stream["books"] for stream in relay.admin("/api/status")["streams"]]
    return sum(int(one.get("accepted", 0)) for one in books)


def interrupted(relay: Relay, folder: Path, when: int, how: signal.Signals) -> tuple[dict[str, Any] | None, str]:
    """Started, and stopped as soon as the relay has ``when`` entries."""
    child = start(relay, folder, "--rate", "1500", "--batch", "20", "--json")
    wait_for("the backfill to get somewhere", lambda: accepted(relay) >= when or child.poll() is not None, 30)
    assert child.poll() is None, child.communicate()
    child.send_signal(how)
    out, said = child.communicate(timeout=30)
    return (json.loads(out) if out else None), said


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_an_archive_is_counted_once_however_often_it_is_interrupted(tmp_path: Path) -> None:
    made = archive(tmp_path / "archive", time.time_ns() // 1_000_000)
    everything = sum(map(len, made.values()))
    with playground(tmp_path) as (relay, simulator):
        foreseen, _ = done(relay, tmp_path, "--dry-run")
        outcomes = {name: row["entries"] for name, row in foreseen["destinations"]["tiktok"].items()}
        assert outcomes == {
            "sendable": len(made["sent"]),
            "overlap": len(made["overlap"]),
            "expired": len(made["expired"]),
        }
        assert accepted(relay) == 0, "a dry run stores nothing"

        report, said = interrupted(relay, tmp_path, 300, signal.SIGINT)
        assert report is not None
        assert "the same command goes on from here" in said
        first = report["accepted"]
        assert 300 <= first < everything
        assert report["receipts"] == {"accepted": first, "duplicate": 0, "filtered": 0, "dead": 0}
        assert accepted(relay) == first, "what was under way was waited for"

        report, _ = interrupted(relay, tmp_path, first + 500, signal.SIGKILL)
        assert report is None
        killed = accepted(relay)

        report, said = done(relay, tmp_path)
        assert report is not None
        assert "going on where it was" in said
        assert report["earlier"] >= first, "nothing that was acknowledged before the Ctrl-C is sent again"
        assert report["earlier"] + report["events"] == everything
        assert report["receipts"]["accepted"] == everything - killed
        assert report["receipts"]["duplicate"] == killed - report["earlier"], "of the killed one's last second"
        assert not list((tmp_path / "state").rglob("*.jsonl"))

        relay.drained()
        counted = simulator.counted()
        assert (counted["unique"], counted["duplicate"], counted["doubled"]) == (len(made["sent"]), 0, 0)
        assert {name for _, name in simulator.ids()} == set(made["sent"])
        letters = relay.admin("/api/dead-letters?destination=tiktok&limit=1000")["letters"]
        found = {reason: sum(letter["reason"] == reason for letter in letters) for reason in ("overlap", "expired")}
        assert found == {"overlap": len(made["overlap"]), "expired": len(made["expired"])}, "as the dry run said"


@pytest.mark.e2e
@pytest.mark.timeout(120)
def test_fresh_events_overtake_a_backfill(tmp_path: Path) -> None:
    now_ms, ids = time.time_ns() // 1_000_000, list[str]()
    for part in range(4):
        write(tmp_path / "archive", "s", now_ms - (part + 1) * HOUR_MS, f"old-{part}", 750, ids)
    with playground(tmp_path, RELAY_DELIVERY__CONCURRENCY="1") as (relay, simulator):
        simulator.control(latency=800)  # fresh ones gather for up to two seconds while calls are scarce
        relay.admin("/api/destinations/tiktok/pause", "POST")
        child = start(relay, tmp_path, "--rate", "4000")
        wait_for("half of it", lambda: relay.owed() > 1_000, 30)
        fresh = {send_fresh(relay, "between")}
        _, said = child.communicate(timeout=30)
        assert child.returncode == 0, said
        fresh.add(send_fresh(relay, "behind"))
        assert relay.owed() == 3_002
        relay.admin("/api/destinations/tiktok/resume", "POST")
        wait_for("the fresh ones", lambda: fresh <= {name for _, name in simulator.ids()}, 20)
        assert relay.owed() > 250, "some of the file is still on its way"
        relay.drained()
        assert relay.metric("relay_events_delivered_total", lane="live") == 2
        assert relay.metric("relay_events_delivered_total", lane="backlog") == 3_000


def send_fresh(relay: Relay, name: str) -> str:
    """One signed event, as Segment sends it now."""
    event = {"type": "track", "event": "Order Completed", "messageId": name, "userId": "u"}
    http_json(relay.webhook, "POST", event, {"X-Signature": sign(json.dumps(event).encode())})
    return name
