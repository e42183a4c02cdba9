from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.redis import memo
from relay.core.event import DEFAULT_SOURCE, NO_WORTH, Worth

names = st.text(max_size=30)


@given(st.integers(0, 10**14), st.integers(-(10**15) + 1, 10**15 - 1), names, st.lists(names.filter(bool), max_size=4))
def test_what_is_written_is_read(received: int, micros: int, source: str, accepted: list[str]) -> None:
    text = memo.write(received, Worth(micros, "EUR"), source, accepted)
    found_received, found = memo.MemoReader().read(text)
    assert found_received == received
    assert found.worth == (Worth(micros, "EUR") if micros else NO_WORTH)
    assert (found.source, found.accepted) == (source or DEFAULT_SOURCE, tuple(accepted))


def test_the_usual_source_takes_no_room() -> None:
    assert memo.write(7, NO_WORTH, DEFAULT_SOURCE) == memo.MemoWriter().write(7, NO_WORTH, DEFAULT_SOURCE) == b"7|||"


@pytest.mark.parametrize("currency", ["eur", "EU", "EURO", "€UR", "E|R", "E R", "ÄÖÜ"])
def test_an_odd_currency_is_left_out_and_the_value_kept(currency: str) -> None:
    _, found = memo.MemoReader().read(memo.write(1, Worth(5, currency), "web"))
    assert found.worth == Worth(5, "")


@pytest.mark.parametrize("micros", [10**15, -(10**15), 10**30])
def test_an_absurd_value_is_ignored(micros: int) -> None:
    _, found = memo.MemoReader().read(memo.write(1, Worth(micros, "EUR"), "web"))
    assert found.worth == NO_WORTH


@pytest.mark.parametrize("text", [b"", b"|", b"x|y|z", b"12", b"-5|||", b"1|--5|EUR|web"])
def test_a_damaged_memo_reads_as_little_as_there_is(text: bytes) -> None:
    received, found = memo.MemoReader().read(text)
    assert received in {0, 1, 12}
    assert found.worth == NO_WORTH


def test_the_cache_is_bounded() -> None:
    reader = memo.MemoReader()
    for number in range(memo.CACHE * 2 + 1):
        reader.read(b"1|||%d" % number)
    assert len(reader._known) <= memo.CACHE
