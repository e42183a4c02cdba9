from __future__ import annotations

from typing import Any

import pytest

from relay.cli.drilling.ledger import Counted, End, Ledger, Obligations, Promise, Relay, judge


def row(event_id: str, times: int = 1, counted: int = 1) -> dict[str, Any]:
    return {"event_source_id": "p", "event": "Purchase", "event_id": event_id, "times": times, "counted": counted}


def promised(*ids: str) -> Obligations:
    wanted = {Counted("Purchase", message_id): message_id for message_id in ids}
    return Obligations(sent={*ids, "page"}, repeated=1, accepted={*ids, "page"}, wanted=wanted)


def end(
    obligations: Obligations,
    *rows: dict[str, Any],
    dead: tuple[str, ...] = (),
    unbalanced: int = 0,
    promises: tuple[Promise, ...] = (),
) -> Ledger:
    letters = [{"message_id": message_id, "reason": "refused", "message": f"no {message_id}"} for message_id in dead]
    return judge(End(obligations, rows, letters, Relay(2, unbalanced, 12.34, 40.0)), promises)


def test_everything_counted_once_is_clean() -> None:
    ledger = end(promised("a", "b"), row("a"), row("b", times=3))
    assert ledger.clean
    assert (ledger.sent, ledger.accepted, ledger.wanted, ledger.counted) == (3, 3, 2, 2)
    assert (ledger.removed_repeats, ledger.lost, ledger.doubled, ledger.longest_delay) == (2, 0, 0, 12.3)
    assert ledger.as_json()["clean"] is True


def test_what_was_promised_and_never_counted_is_lost() -> None:
    ledger = end(promised("a", "b"), row("a"))
    assert (ledger.lost, ledger.clean) == (1, False)


def test_a_dead_letter_is_kept_not_lost() -> None:
    ledger = end(promised("a", "b"), row("a"), dead=("b",))
    assert (ledger.lost, ledger.dead_letters, ledger.clean) == (0, 1, True)
    assert ledger.dead_because == "refused: no b"


def test_what_is_counted_twice_is_doubled() -> None:
    ledger = end(promised("a", "b"), row("a", times=2, counted=2), row("b"))
    assert (ledger.doubled, ledger.removed_repeats, ledger.clean) == (1, 0, False)


def test_an_event_counted_under_another_name_is_still_lost() -> None:
    assert end(promised("a"), row("a") | {"event": "AddToCart"}).lost == 1


@pytest.mark.parametrize(
    "obligations", [Obligations(), Obligations(sent={"a", "b"}, accepted={"a"}, wanted={Counted("Purchase", "a"): "a"})]
)
def test_a_drill_that_proves_nothing_is_not_clean(obligations: Obligations) -> None:
    assert not end(obligations, row("a")).clean


def test_books_that_do_not_balance_are_not_clean() -> None:
    assert not end(promised("a"), row("a"), unbalanced=1).clean


def test_a_broken_promise_is_not_clean_and_scripts_can_read_it() -> None:
    ledger = end(promised("a"), row("a"), promises=(Promise("soon", kept=True), Promise("never", kept=False)))
    assert not ledger.clean
    assert ledger.as_json()["promises"] == [{"said": "soon", "kept": True}, {"said": "never", "kept": False}]
