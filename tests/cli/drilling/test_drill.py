"""The drills themselves, short: real processes, real trouble, and controls that must fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from relay.adapters.redis.embedded import EmbeddedValkey
from relay.adapters.redis.valkey_process import EmbeddedOptions
from relay.adapters.system import SystemClock
from relay.cli.drilling.processes import without_orphan
from relay.cli.drilling.scenarios import SCENARIOS
from tests.cli.drilling.conftest import CONTROLS, SHORT, Played, Troupe

pytestmark = pytest.mark.timeout(300)
QUICK_CONTROLS = ("outage, nothing remembered", "token, never replaced", "standby, nothing removed")


@pytest.fixture(scope="module")
def controls(drills: Troupe) -> Troupe:
    """Asked for after the scenarios, so that those come first."""
    for name in QUICK_CONTROLS:
        drills.ask(name, *CONTROLS[name])
    return drills


def control(troupe: Troupe, name: str) -> Played:
    troupe.ask(name, *CONTROLS[name])
    return troupe.see(name)


def test_every_scenario_is_played_here() -> None:
    assert set(SHORT) == set(SCENARIOS)


@pytest.mark.e2e
@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_nothing_counts_twice_and_the_promise_is_kept(controls: Troupe, name: str) -> None:
    seen = controls.see(name)
    ledger = seen.ledger
    print(name, *seen.promises())
    assert seen.promises()
    assert all(seen.promises().values()), ledger
    assert (ledger["lost"], ledger["doubled"], ledger["unbalanced"]) == (0, 0, 0)
    assert ledger["accepted"] == ledger["sent"] >= 200
    assert ledger["counted"] == ledger["wanted"] - ledger["dead_letters"] > 100
    assert (seen.code, ledger["clean"]) == (0, True)


@pytest.mark.e2e
def test_what_each_is_about_shows_in_its_ledger(controls: Troupe) -> None:
    ledgers = {name: controls.see(name).ledger for name in SHORT}
    assert ledgers["outage"]["removed_repeats"] > 0, "answers were lost, so something was sent again"
    assert ledgers["outage"]["longest_delay"] >= 1.0
    assert ledgers["poison"]["dead_letters"] >= 2
    assert "not accepted" in ledgers["poison"]["dead_because"]
    assert ledgers["standby"]["removed_repeats"] > 0, "whoever takes over sends what was not lost as well"
    assert 0 < ledgers["standby"]["delivered"] < ledgers["standby"]["counted"]
    assert all(one["delivered"] == one["counted"] for name, one in ledgers.items() if name != "standby")


@pytest.mark.e2e
@pytest.mark.parametrize("name", SHORT)
def test_an_incident_is_reported_as_html_and_markdown(controls: Troupe, name: str) -> None:
    folder = controls.see(name).folder / "report"
    if name == "poison":
        assert not folder.exists(), "an operator's pause and a few dead letters are no incident"
        return
    text = (folder / "report.md").read_text(encoding="utf-8")
    assert "# Incident tiktok-1" in text
    assert "still open" not in text
    assert "No event was lost" in text
    assert "closed</span>" in (folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.e2e
def test_it_is_the_relays_own_dedupe_that_prevents_doubles(controls: Troupe) -> None:
    seen = control(controls, "outage, nothing remembered")
    assert (seen.code, seen.ledger["lost"]) == (1, 0)
    assert seen.ledger["doubled"] > 0


@pytest.mark.e2e
def test_a_token_that_nobody_replaces_is_a_broken_promise(controls: Troupe) -> None:
    seen = control(controls, "token, never replaced")
    assert (seen.code, seen.ledger["dead_letters"]) == (1, 0)
    assert seen.ledger["lost"] > 0
    assert seen.promises()["resumed with the new token never (promise: 5 s)"] is False


@pytest.mark.e2e
def test_it_is_tiktok_that_removes_what_primary_and_standby_both_send(controls: Troupe) -> None:
    seen = control(controls, "standby, nothing removed")
    assert (seen.code, seen.ledger["lost"]) == (1, 0)
    assert seen.ledger["doubled"] > 0


@pytest.mark.e2e
@pytest.mark.proof
def test_a_relay_in_order_needs_no_removals(troupe: Troupe) -> None:
    seen = control(troupe, "outage, nothing removed")
    assert (seen.code, seen.ledger["doubled"], seen.ledger["removed_repeats"]) == (0, 0, 0)


@pytest.mark.e2e
@pytest.mark.proof
@pytest.mark.parametrize(
    ("name", "broken"), [("throttle, never slow", "TikTok refused"), ("poison, whole calls", "good events are")]
)
def test_a_relay_that_breaks_its_promise_is_found_out(troupe: Troupe, name: str, broken: str) -> None:
    seen = control(troupe, name)
    assert seen.code == 1
    assert any(broken in said and not kept for said, kept in seen.promises().items()), seen.ledger


@pytest.mark.e2e
@pytest.mark.proof
def test_it_is_the_file_that_survives_a_crash(troupe: Troupe) -> None:
    seen = control(troupe, "crash, no file")
    assert seen.code == 1
    assert seen.ledger["lost"] > 0


@pytest.mark.e2e
@pytest.mark.proof
@pytest.mark.parametrize("name", SCENARIOS)
def test_in_full(full: Troupe, name: str) -> None:
    seen = full.see(f"{name}, in full")
    print(name, f"{seen.ledger['seconds']:.0f} s:", *seen.promises())
    assert (seen.code, seen.ledger["clean"]) == (0, True), seen.ledger
    assert seen.ledger["sent"] >= 2_500


async def test_a_server_that_was_left_behind_is_stopped(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "data", EmbeddedOptions(disk_floor=0, ballast=0), SystemClock(), lambda _: None)
    async with without_orphan(tmp_path / "data"):
        await server.start()
        server._directory.relay_lock.drop()  # as if the relay had been killed
        assert server.alive
    # Its files are closed when ``without_orphan`` returns; that the process can be reaped comes a moment later.
    assert server._child is not None
    assert server._child.wait(10) == 0
    assert not server.alive


@pytest.mark.e2e
def test_a_relay_that_does_not_start_is_one_message_with_its_last_words() -> None:
    serve = f"{sys.executable} -c 'raise SystemExit(\"no luck\")'"
    command = [sys.executable, "-m", "relay", "drill", "--json", "--serve", serve]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "relay does not come up (it ended with 1)" in done.stderr
    assert "no luck" in done.stderr
    assert "Traceback" not in done.stderr
