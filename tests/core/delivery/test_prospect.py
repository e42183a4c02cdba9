from __future__ import annotations

import orjson

from relay.core.delivery.account import Rules
from relay.core.delivery.batch import Limits
from relay.core.delivery.clocks import DEDUPE_MS, Clocks
from relay.core.delivery.prospect import Prospect
from relay.core.event import Entry, JsonObject, Worth
from tests.twins.tiktok import PlainMapping

NOW_MS = 1_770_000_000_000
DAY_MS = 86_400_000


def entry(number: int, *, age_ms: int = 0, micros: int = 5_000_000, **event: object) -> Entry:
    body: JsonObject = {"id": str(number), "time": (NOW_MS - age_ms) // 1000, **event}
    return Entry(str(number), orjson.dumps(body), NOW_MS - age_ms, "", Worth(micros, "EUR" if micros else ""))


def foreseen(entries: list[Entry], *, shared: bool = True) -> dict[str, tuple[int, dict[str, int]]]:
    prospect = Prospect(Rules(PlainMapping(), Clocks(shared=shared), "", Limits()), NOW_MS)
    for one in entries:
        prospect.add([one])
    whole = Prospect(Rules(PlainMapping(), Clocks(shared=shared), "", Limits()), NOW_MS)
    whole.add(entries)
    assert whole.shares == prospect.shares, "in whatever parts"
    return {name: (share.entries, dict(share.value_micros)) for name, share in prospect.shares.items()}


def test_every_entry_has_one_outcome_and_its_value_goes_with_it() -> None:
    found = foreseen(
        [
            entry(1),
            entry(2, micros=0),
            entry(3, age_ms=DEDUPE_MS + 1),
            entry(4, age_ms=8 * DAY_MS),
            entry(5, names=["Purchase"], broken=["Purchase"]),
            entry(6, names=[]),
            entry(7)._replace(raw=b"[]"),
        ]
    )
    assert found == {
        "sendable": (2, {"EUR": 5_000_000}),
        "overlap": (1, {"EUR": 5_000_000}),
        "expired": (1, {"EUR": 5_000_000}),
        "unmappable": (2, {"EUR": 10_000_000}),
        "unmatched": (1, {"EUR": 5_000_000}),
    }


def test_where_nobody_else_sends_nothing_overlaps() -> None:
    assert set(foreseen([entry(1, age_ms=3 * DAY_MS)], shared=False)) == {"sendable"}


def test_of_several_items_one_is_enough() -> None:
    assert set(foreseen([entry(1, names=["Purchase", "Lead"], broken=["Lead"])])) == {"sendable"}


def test_former_letters_keep_their_doubt_and_their_release() -> None:
    doubted = entry(1)._replace(first_ms=NOW_MS - DEDUPE_MS - 1)
    assert set(foreseen([doubted])) == {"ambiguous"}
    assert set(foreseen([doubted._replace(released=True)])) == {"sendable"}
