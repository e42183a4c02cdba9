from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from relay.core.erasure import Kept, Place, Swept
from relay.core.event import EntryClass, StreamKey
from relay.core.notices import EntriesForgotten, Notice, PeopleSuppressed, RecordsErased
from relay.core.segment.people import names_of
from relay.engine.eraser import PAGE, BadCursor, Eraser
from relay.engine.suppression import Suppression
from tests.twins.clock import FakeClock
from tests.twins.people import MemorySuppressions

VIEWS = Place(Kept.OWED, "shop", EntryClass.ENGAGEMENT)
LETTERS = Place(Kept.LETTERS, "shop")
REJECTS = Place(Kept.LETTERS, "-")
ARCHIVE = Place(Kept.ARCHIVE, "", EntryClass.CONVERSION)
U1 = names_of(user_id="u1")


@dataclass
class Shelves:
    """Records in lists; ids are ``<number>-0``. A look takes ``page_s`` of the clock."""

    clock: FakeClock
    kept: dict[Place, list[bytes]] = field(default_factory=dict)
    page_s: float = 0.001
    leased: int = 0

    async def places(self) -> Sequence[Place]:
        return [place._replace(length=len(records)) for place, records in self.kept.items()]

    async def sweep(
        self, place: Place, wanted: Callable[[bytes], bool], *, after: str = "", limit: int = 200, dry: bool = False
    ) -> Swept:
        self.clock.jump(self.page_s)
        records = self.kept[place._replace(length=0)]
        start = int(after.partition("-")[0]) if after else 0
        page = records[start : start + limit]
        found = [raw for raw in page if raw and wanted(raw)]
        for raw in () if dry else found:
            records[records.index(raw)] = b""
        return Swept(len(page), f"{start + len(page)}-0", len(found), self.leased)


def event(user: str, number: int = 0) -> bytes:
    return json.dumps({"userId": user, "messageId": str(number)}).encode()


class RestlessClock(FakeClock):
    """Who sleeps wakes up at once, so much later."""

    async def sleep(self, seconds: float) -> None:
        self.jump(seconds)


@dataclass
class Bench:
    clock: FakeClock = field(default_factory=RestlessClock)
    told: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shelves = Shelves(self.clock)
        self.suppression = Suppression(MemorySuppressions(), self.clock, self.told.append)
        self.eraser = Eraser(self.shelves, self.suppression, self.clock, self.told.append)


async def test_everything_kept_of_a_person_goes_and_is_told_without_a_name() -> None:
    bench = Bench()
    bench.shelves.kept = {
        VIEWS: [event("u1"), event("u2"), event("u1", 2)],
        LETTERS: [event("u1"), b"", b"[1"],
        REJECTS: [b'{"cut": "off", "user": "u1", ', b'{"user": "u11"}', event("u1")],
        ARCHIVE: [event("u2"), event("u1")],
    }
    done = await bench.eraser.erase(U1)
    assert done.found == {"owed": 2, "dead_letters": 3, "archive": 1}
    assert (done.looked, done.total, done.cursor) == (11, 11, "")
    assert bench.told == [
        PeopleSuppressed(1, on=True),
        EntriesForgotten(StreamKey("shop", EntryClass.ENGAGEMENT), 2),
        RecordsErased("shop", "dead_letters", 1),
        RecordsErased("-", "dead_letters", 2),
        RecordsErased("", "archive", 1),
    ]
    assert bench.suppression.refuses({"userId": "u1"})


@pytest.mark.parametrize(
    ("raw", "theirs"),
    [
        (b'{"quantity":1}', False),
        (b'{"userId":"2","properties":{"quantity":1}}', False),
        (b'[{"quantity":1},1]', False),
        (b'{"userId":1}', True),
        (b'{"batch":[{"traits":{"userId": 1}}]}', True),
        (b'{"rows":[["user","1"]]}', True),
        (b'["1"]', True),
        (b'{"quantity":1,"cut', False),
        (b'{"userId": 1,"cut', True),
        (b'{"user":"1","cut', True),
    ],
)
async def test_in_what_is_no_event_a_bare_number_is_nobody(raw: bytes, *, theirs: bool) -> None:
    bench = Bench()
    bench.shelves.kept = {REJECTS: [raw]}
    done = await bench.eraser.erase(names_of(user_id="1"), suppress=False)
    assert done.found["dead_letters"] == theirs


async def test_in_what_is_no_event_ids_are_compared_as_they_are_and_addresses_folded() -> None:
    bench = Bench()
    ids = [b'{"who":"A1"}', b'{"who":"a1"}', b'{"who":"a1","cut', b'{"anonymousId":"A1"}']
    bench.shelves.kept = {REJECTS: [*ids, b'{"to":[" Jo@Example.com"]}', b'{"to":"JO@example.com","cut']}
    await bench.eraser.erase(names_of(user_id="A1", email="jo@example.com"), suppress=False)
    assert bench.shelves.kept[REJECTS] == [b"", ids[1], ids[2], b"", b"", b""]


async def test_a_long_search_is_several_calls_and_misses_nothing() -> None:
    bench = Bench()
    bench.shelves.kept = {VIEWS: [event(f"u{n % 10}", n) for n in range(4 * PAGE + 7)], LETTERS: [event("u1")] * 3}
    bench.shelves.page_s = 2.0
    cursor, calls, found = "", 0, 0
    while calls == 0 or cursor:
        done = await bench.eraser.erase(U1, cursor)
        cursor, calls = done.cursor, calls + 1
        found += done.found["owed"] + done.found["dead_letters"]
    assert calls == 3
    assert found == sum(n % 10 == 1 for n in range(4 * PAGE + 7)) + 3
    assert bench.told.count(PeopleSuppressed(1, on=True)) == 1, "only by the first call"


async def test_a_dry_run_changes_nothing_and_tells_nobody() -> None:
    bench = Bench()
    bench.shelves.kept = {VIEWS: [event("u1")]}
    done = await bench.eraser.erase(U1, dry=True)
    assert done.found["owed"] == 1
    assert bench.shelves.kept == {VIEWS: [event("u1")]}
    assert (bench.told, bench.suppression.listed) == ([], 0)


async def test_once_only_takes_in_what_comes_later_and_lifting_does_as_well() -> None:
    bench = Bench()
    bench.shelves.kept = {VIEWS: [event("u1")]}
    bench.shelves.leased = 4
    done = await bench.eraser.erase(U1, suppress=False)
    assert (done.found["owed"], done.leased, bench.suppression.listed) == (1, 4, 0)
    await bench.eraser.erase(U1)
    assert bench.suppression.listed == 1
    await bench.eraser.lift(U1)
    assert bench.suppression.listed == 0


@pytest.mark.parametrize(
    "cursor", ["x", "9/", "owed:shop:engagement/x-1", "owed:other:engagement/", "owed:shop:engagement/1"]
)
async def test_only_cursors_that_were_given_out_are_taken(cursor: str) -> None:
    bench = Bench()
    bench.shelves.kept = {VIEWS: []}
    with pytest.raises(BadCursor):
        await bench.eraser.erase(U1, cursor)
