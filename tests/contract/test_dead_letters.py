from __future__ import annotations

import pytest

from relay.core.event import Burial, DeadReason, Lane, Settlement
from tests.contract.conftest import VIEWS, Subject


async def bury(subject: Subject, *names: str, reason: DeadReason = DeadReason.REFUSED) -> list[str]:
    """Dead letters of these names; their ids, oldest first."""
    await subject.add(*names)
    claimed = await subject.owed.claim(VIEWS, Lane.LIVE, 500, 10**9)
    assert claimed is not None
    dead = [Burial(entry.id, reason, "said no", 40002, "r", ("Accepted before",)) for entry in claimed.entries]
    await subject.owed.settle(claimed.lease, Settlement(dead=dead))
    return [letter.id for letter in (await subject.dead_letters.list("shop", limit=1000))[-len(names) :]]


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
    look = (await subject.owed.survey()).streams[1]
    assert (look.owed, look.books["requeued"], look.unbalanced) == (1, 1, 0)
    assert [one.id for one in await subject.dead_letters.list("shop")] == [other]


async def test_a_discarded_letter_is_gone_and_noted(subject: Subject) -> None:
    ids = await bury(subject, "a", "b", "c")
    assert await subject.dead_letters.discard("shop", [*ids[:2], "1-1"]) == 2
    survey = await subject.owed.survey()
    assert (survey.dead["shop"], survey.streams[1].books["discarded"], survey.streams[1].unbalanced) == (1, 2, 0)
