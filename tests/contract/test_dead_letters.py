from __future__ import annotations

import pytest

from relay.core.event import Burial, Claimed, DeadReason, Lane, Settlement
from tests.contract.conftest import VIEWS, Subject


async def bury(subject: Subject, *names: str, reason: DeadReason = DeadReason.REFUSED, first_ms: int = 0) -> list[str]:
    """Dead letters of these names; their ids, oldest first."""
    await subject.add(*names)
    claimed = await take(subject)
    accepted = ("Accepted before",)
    dead = [Burial(entry.id, reason, "said no", 40002, "r", accepted, first_ms) for entry in claimed.entries]
    await subject.owed.settle(claimed.lease, Settlement(dead=dead))
    return [letter.id for letter in (await subject.dead_letters.list("shop", limit=1000))[-len(names) :]]


async def take(subject: Subject) -> Claimed:
    claimed = await subject.owed.claim(VIEWS, Lane.LIVE, 500, 10**9)
    assert claimed is not None
    return claimed


async def test_letters_are_listed_oldest_first_in_pages(subject: Subject) -> None:
    ids = await bury(subject, *"abcde")
    first = await subject.dead_letters.list("shop", limit=2)
    rest = await subject.dead_letters.list("shop", after=first[-1].id)
    assert [letter.id for letter in first + rest] == ids
    assert await subject.dead_letters.list("shop", after=ids[-1]) == []


async def test_letters_are_found_by_reason_among_many_others(subject: Subject) -> None:
    for start in range(3):
        await bury(subject, *(f"{start}-{number}" for number in range(300)))
    (wanted,) = await bury(subject, "x", reason=DeadReason.EXPIRED)
    assert [one.id for one in await subject.dead_letters.list("shop", reason="expired", limit=5)] == [wanted]
    assert len(await subject.dead_letters.list("shop", reason="refused", limit=2000)) == 900


@pytest.mark.parametrize("name", ["", "nonsense", "1-2-3", "-", "99999999999999999999-0"])
async def test_no_such_letter(subject: Subject, name: str) -> None:
    await bury(subject, "a")
    assert await subject.dead_letters.get("shop", name) is None
    assert await subject.dead_letters.requeue("shop", [name]) == 0
    assert await subject.dead_letters.discard("shop", [name]) == 0


async def test_a_requeued_letter_is_owed_again_and_resends_only_what_is_missing(subject: Subject) -> None:
    (id_, other) = await bury(subject, "a", "b")
    letter = await subject.dead_letters.get("shop", id_)
    assert letter is not None
    assert await subject.dead_letters.requeue("shop", [id_, id_]) == 1
    assert await subject.dead_letters.get("shop", id_) is None
    claimed = await subject.owed.claim(VIEWS, Lane.LIVE, 10, 10**9)
    assert claimed is not None
    (entry,) = claimed.entries
    assert (entry.raw, entry.received_ms, entry.accepted) == (letter.raw, letter.received_ms, ("Accepted before",))
    assert claimed.lease.first_ms == claimed.now_ms
    assert (claimed.fresh, entry.first_ms, entry.released) == (True, 0, False)
    look = (await subject.owed.survey()).streams[1]
    assert (look.owed, look.books["requeued"], look.unbalanced) == (1, 1, 0)
    assert [one.id for one in await subject.dead_letters.list("shop")] == [other]


async def test_the_time_of_doubt_survives_every_requeue(subject: Subject) -> None:
    (id_,) = await bury(subject, "a", first_ms=1_234)
    for _ in range(3):
        assert await subject.dead_letters.requeue("shop", [id_]) == 1
        claimed = await take(subject)
        (entry,) = claimed.entries
        assert (entry.first_ms, entry.released) == (1_234, False)
        dead = [Burial(entry.id, DeadReason.REFUSED, "", accepted=entry.accepted, first_ms=entry.first_ms)]
        await subject.owed.settle(claimed.lease, Settlement(dead=dead))
        (letter,) = await subject.dead_letters.list("shop")
        assert (letter.first_ms, letter.released, letter.accepted) == (1_234, False, ("Accepted before",))
        id_ = letter.id


@pytest.mark.parametrize("first_ms", [0, 1_234])
async def test_a_release_is_kept_even_when_the_entry_is_buried_after_all(subject: Subject, first_ms: int) -> None:
    (id_,) = await bury(subject, "a", reason=DeadReason.OVERLAP, first_ms=first_ms)
    assert await subject.dead_letters.requeue("shop", [id_, id_], released=True) == 1
    for released in (True, False):
        claimed = await take(subject)
        (entry,) = claimed.entries
        assert (entry.first_ms, entry.released) == (first_ms, True)
        dead = [Burial(entry.id, DeadReason.REFUSED, "", first_ms=entry.first_ms)]
        await subject.owed.settle(claimed.lease, Settlement(dead=dead))
        (letter,) = await subject.dead_letters.list("shop")
        assert (letter.first_ms, letter.released) == (first_ms, True)
        await subject.dead_letters.requeue("shop", [letter.id], released=released)
    look = (await subject.owed.survey()).streams[1]
    assert (look.owed, look.books["requeued"], look.unbalanced) == (1, 3, 0)


async def test_what_was_never_a_letter_has_no_doubt_beside_one_that_was(subject: Subject) -> None:
    plain, doubtful, released = await bury(subject, "a", "b", "c", first_ms=1_234)
    await subject.dead_letters.discard("shop", [plain])
    await subject.add("first")
    await subject.dead_letters.requeue("shop", [doubtful])
    await subject.add("second", "third")
    await subject.dead_letters.requeue("shop", [released], released=True)
    await subject.add("last")
    assert [
        (entry.raw.decode().split('"')[3], entry.first_ms, entry.released) for entry in (await take(subject)).entries
    ] == [
        ("first", 0, False),
        ("b", 1_234, False),
        ("second", 0, False),
        ("third", 0, False),
        ("c", 1_234, True),
        ("last", 0, False),
    ]


async def test_a_discarded_letter_is_gone_and_noted(subject: Subject) -> None:
    ids = await bury(subject, "a", "b", "c")
    assert await subject.dead_letters.discard("shop", [*ids[:2], "1-1"]) == 2
    survey = await subject.owed.survey()
    assert (survey.dead["shop"], survey.streams[1].books["discarded"], survey.streams[1].unbalanced) == (1, 2, 0)
