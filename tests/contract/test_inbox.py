from __future__ import annotations

import pytest

from relay.core.errors import StoreMisused
from relay.core.event import EntryClass, Lane, Reject, StreamKey, Worth
from tests.contract.conftest import ORDERS, OTHER, VIEWS, Subject


async def test_new_entries_are_owed_and_duplicates_are_not(subject: Subject) -> None:
    assert await subject.inbox.append([subject.entry("a"), subject.entry("b")]) == [True, True]
    assert await subject.inbox.append([subject.entry("b"), subject.entry("c")]) == [False, True]
    books = (await subject.owed.survey()).streams[1]
    assert books.stream == VIEWS
    assert (books.owed, books.books["accepted"], books.books["duplicates"]) == (3, 3, 1)


async def test_the_same_event_twice_in_one_call_is_a_duplicate(subject: Subject) -> None:
    twice = [subject.entry("a"), subject.entry("b"), subject.entry("a")]
    assert await subject.inbox.append(twice) == [True, True, False]


async def test_an_event_is_owed_once_to_each_destination(subject: Subject) -> None:
    entries = [subject.entry("a", ORDERS), subject.entry("a", OTHER)]
    assert await subject.inbox.append(entries) == [True, True]
    assert await subject.inbox.append(entries) == [False, False]


async def test_nothing_to_append_is_nothing_done(subject: Subject) -> None:
    assert await subject.inbox.append([]) == []


async def test_what_was_appended_comes_back_byte_for_byte(subject: Subject) -> None:
    odd = '{"name":"Zoë|50%|\\ud83d\\ude00","nul":"\\u0000"}'.encode()
    raws = [odd, b"", b"\x00\x01\xff", b"{}", odd * 3000]
    entries = [
        subject.entry(f"id-{number}", raw=raw, source="src|with%7Cbars", micros=-5, currency="EUR")
        for number, raw in enumerate(raws)
    ]
    await subject.inbox.append(entries)
    claimed = await subject.owed.claim(VIEWS, Lane.LIVE, 10, 10**9)
    assert claimed is not None
    assert [entry.raw for entry in claimed.entries] == raws
    assert {entry.source for entry in claimed.entries} == {"src|with%7Cbars"}
    assert {entry.worth for entry in claimed.entries} == {Worth(-5, "EUR")}
    assert [entry.received_ms for entry in claimed.entries] == [entry.received_ms for entry in entries]


@pytest.mark.parametrize("name", ["", "x" * 5000, "half a pair \ud83d", "a\0b", "ünï"])
async def test_any_text_is_an_identity(subject: Subject, name: str) -> None:
    entry = subject.entry(name, raw=b"{}")
    assert await subject.inbox.append([entry]) == [True]
    assert await subject.inbox.append([entry]) == [False]


async def test_an_unknown_stream_is_misuse_and_changes_nothing(subject: Subject) -> None:
    stranger = subject.entry("a", StreamKey("nowhere", EntryClass.CONVERSION))
    with pytest.raises(StoreMisused):
        await subject.inbox.append([subject.entry("b"), stranger])
    assert await subject.inbox.append([subject.entry("b")]) == [True]


async def test_rejects_go_to_the_intakes_own_dead_letters(subject: Subject) -> None:
    reject = Reject("web", "bad_shape", b'{"no":"event"}', subject.now_ms)
    assert await subject.inbox.append([subject.entry("a")], [reject]) == [True]
    (letter,) = await subject.dead_letters.list("-")
    assert (letter.reason, letter.raw, letter.source, letter.klass) == ("bad_shape", reject.raw, "web", None)
    assert (await subject.owed.survey()).dead["-"] == 1
    assert await subject.dead_letters.requeue("-", [letter.id]) == 0
    assert await subject.dead_letters.discard("-", [letter.id]) == 1
    assert await subject.dead_letters.list("-") == []
