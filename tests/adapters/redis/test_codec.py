from __future__ import annotations

import itertools
import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.redis.codec import PLAIN, SHIPPED, Codec, Undecodable, load_dictionaries
from relay.adapters.redis.train import SIZE
from relay.simulator.traffic import traffic

HELD_OUT_SEED = 4711
SHIPPED_CODEC = Codec(load_dictionaries())


@given(st.binary(max_size=5000))
def test_any_bytes_come_back(raw: bytes) -> None:
    assert SHIPPED_CODEC.decode(SHIPPED_CODEC.encode(raw)) == raw


def test_events_take_little_more_than_a_fifth_on_traffic_the_dictionary_has_not_seen() -> None:
    raws = [orjson.dumps(event) for event in itertools.islice(traffic(HELD_OUT_SEED, 1_764_000_000_000), 2000)]
    kept = [SHIPPED_CODEC.encode(raw) for raw in raws]
    assert [SHIPPED_CODEC.decode(one) for one in kept] == raws
    assert sum(map(len, kept)) / sum(map(len, raws)) < 0.22


def test_the_shared_examples_take_less_than_a_third(shared: Path) -> None:
    lines = (shared / "data" / "segment_examples.jsonl").read_text("utf-8").splitlines()
    raws = [orjson.dumps(json.loads(line)["event"]) for line in lines]
    assert sum(len(SHIPPED_CODEC.encode(raw)) for raw in raws) / sum(map(len, raws)) < 0.33


def test_shipped_dictionaries_are_small_and_numbered() -> None:
    found = load_dictionaries()
    assert found
    assert all(len(data) <= SIZE for data in found.values())
    assert {f"{number}.dict" for number in found} == {file.name for file in SHIPPED.glob("*.dict")}


def test_what_an_older_dictionary_wrote_stays_readable_beside_a_newer_one() -> None:
    old, new = Codec({1: b"first dictionary " * 20}), Codec({1: b"first dictionary " * 20, 2: b"second one " * 30})
    raw = b"first dictionary second one " * 9
    assert old.encode(raw)[0] == 1
    assert new.encode(raw)[0] == 2
    assert new.decode(old.encode(raw)) == raw


def test_without_dictionaries_events_are_compressed_plainly() -> None:
    plain = Codec({})
    raw = b"abc" * 100
    assert plain.encode(raw)[0] == PLAIN
    assert SHIPPED_CODEC.decode(plain.encode(raw)) == raw


def test_what_does_not_compress_is_kept_as_it_is() -> None:
    assert SHIPPED_CODEC.encode(b"") == b"\0"
    assert SHIPPED_CODEC.encode(b"x")[0] == 0


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        (b"", "damaged"),
        (b"\x01", "damaged"),
        (b"\x01" + b"garbage" * 20, "damaged"),
        (b"\x1d123", "dictionary 29 is not here"),
        (b"\x41123", "newer version"),
        (b"\x211234567890123456789", "sealed with key"),
    ],
)
def test_a_record_nobody_can_read_says_why(kept: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        SHIPPED_CODEC.decode(kept)


def test_an_empty_folder_adds_nothing_and_a_wrong_number_is_refused(tmp_path: Path) -> None:
    assert load_dictionaries((SHIPPED, tmp_path)) == load_dictionaries()
    (tmp_path / "31.dict").write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="31"):
        load_dictionaries((SHIPPED, tmp_path))
