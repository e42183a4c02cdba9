from __future__ import annotations

import itertools
import os

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.redis.codec import CIPHER, Codec, Locked, SealingCodec, Undecodable, load_dictionaries
from relay.adapters.redis.sealer import DAY_MS, MOST_DAYS, Sealer
from relay.adapters.redis.sealing import HEAD_BYTES, OVERHEAD, key_id
from relay.simulator.traffic import traffic

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
NOW_MS = 1_764_000_000_000
DICTIONARIES = load_dictionaries()
PLAIN = Codec(DICTIONARIES)


def sealing(*keys: bytes, now_ms: int = NOW_MS, lost: tuple[str, ...] = ()) -> SealingCodec:
    return SealingCodec(DICTIONARIES, Sealer(keys, lambda: now_ms), lost)


SEALING = sealing(NEW)


@given(st.binary(max_size=3000))
def test_any_bytes_come_back_and_any_text(raw: bytes) -> None:
    assert SEALING.decode(SEALING.encode(raw)) == raw
    assert SEALING.decode_text(SEALING.encode_text(raw)) == raw or raw[:1] == b"\xff"


def test_nothing_of_an_event_is_seen_and_no_two_records_are_alike() -> None:
    raws = [orjson.dumps(event) for event in itertools.islice(traffic(7, NOW_MS), 200)]
    kept = [SEALING.encode(raw) for raw in raws]
    assert not any(orjson.loads(raw)["messageId"].encode() in one for raw, one in zip(raws, kept, strict=True))
    assert SEALING.encode(raws[0]) != SEALING.encode(raws[0])
    assert {len(one) - len(PLAIN.encode(raw)) for raw, one in zip(raws, kept, strict=True)} == {OVERHEAD}


def test_what_was_kept_before_there_was_a_key_stays_readable() -> None:
    raw, text = b'{"event":"Order Completed"}' * 3, "invalid e-mail “jo”".encode()
    assert SEALING.decode(PLAIN.encode(raw)) == raw
    assert SEALING.decode_text(PLAIN.encode_text(text)) == PLAIN.decode_text(text) == text
    assert SEALING.encode_text(b"") == b""


def test_old_keys_open_and_the_first_seals() -> None:
    both = sealing(NEW, OLD)
    assert both.decode(sealing(OLD).encode(b"old " * 20)) == b"old " * 20
    assert sealing(NEW).decode(both.encode(b"new " * 20)) == b"new " * 20


def test_without_the_key_a_record_is_locked_and_the_key_named() -> None:
    for codec in (PLAIN, sealing(OLD)):
        for read, kept in ((codec.decode, SEALING.encode(b"x")), (codec.decode_text, SEALING.encode_text(b"x"))):
            with pytest.raises(Locked, match=key_id(NEW)):
                read(kept)


def test_what_a_lost_key_sealed_is_damaged_not_locked() -> None:
    for codec in (Codec(DICTIONARIES, [key_id(NEW)]), sealing(OLD, lost=(key_id(NEW),))):
        with pytest.raises(Undecodable) as caught:
            codec.decode(SEALING.encode(b"x"))
        assert not isinstance(caught.value, Locked)


@given(st.data())
def test_a_changed_record_does_not_open(data: st.DataObject) -> None:
    kept = bytearray(SEALING.encode(b"somebody's purchase " * 5))
    at, bit = data.draw(st.integers(0, len(kept) - 1)), data.draw(st.integers(0, 7))
    kept[at] ^= 1 << bit
    with pytest.raises(Undecodable):
        SEALING.decode(bytes(kept))


@given(st.integers(1, 60))
def test_a_record_that_was_cut_off_does_not_open(missing: int) -> None:
    with pytest.raises(Undecodable):
        SEALING.decode(SEALING.encode(b"somebody's purchase " * 20)[:-missing])


def test_each_day_has_a_key_of_its_own() -> None:
    now = NOW_MS
    sealer = Sealer([NEW], lambda: now)
    first = sealer.seal(bytes((CIPHER,)), b"x")
    now += DAY_MS
    second = sealer.seal(bytes((CIPHER,)), b"x")
    assert first[:HEAD_BYTES] != second[:HEAD_BYTES]
    assert sealer.open(first) == sealer.open(second) == b"x"
    assert sealer._ciphers[first[1:HEAD_BYTES]] is not sealer._ciphers[second[1:HEAD_BYTES]]


def test_derived_keys_do_not_pile_up() -> None:
    now = NOW_MS
    sealer = Sealer([NEW], lambda: now)
    for _ in range(3 * MOST_DAYS):
        now += DAY_MS
        assert sealer.open(sealer.seal(bytes((CIPHER,)), b"x")) == b"x"
    assert len(sealer._ciphers) <= MOST_DAYS


def test_a_key_id_tells_nothing_and_differs() -> None:
    ids = {key_id(os.urandom(32)) for _ in range(100)}
    assert len(ids) == 100
    assert Sealer([NEW, OLD], lambda: 0).ids == (key_id(NEW), key_id(OLD))


def test_a_key_of_another_length_is_none() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer([b"short"], lambda: 0)
