from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from relay.adapters.redis.codec import Codec
from relay.adapters.redis.train import SIZE, train, write
from relay.simulator.traffic import traffic


def events(seed: int, count: int) -> list[bytes]:
    return [orjson.dumps(event) for event in itertools.islice(traffic(seed, 1_764_000_000_000), count)]


def test_a_trained_dictionary_helps_with_events_it_has_not_seen() -> None:
    dictionary = train(events(1, 400), size=8192)
    assert len(dictionary) <= 8192
    unseen = events(2, 100)
    with_it, without = Codec({1: dictionary}), Codec({})
    assert sum(len(with_it.encode(raw)) for raw in unseen) < 0.6 * sum(len(without.encode(raw)) for raw in unseen)


def test_too_few_events_are_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        train(events(1, 20))


def test_a_number_is_never_used_twice(tmp_path: Path) -> None:
    path = write(b"one", tmp_path, 3)
    with pytest.raises(FileExistsError):
        write(b"two", tmp_path, 3)
    assert path.read_bytes() == b"one"
    with pytest.raises(ValueError, match="between"):
        write(b"x", tmp_path, 31)


def test_as_a_module_it_reads_lines_and_writes_the_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "relay.adapters.redis.train", "--number", "7", "--out", str(tmp_path)]
    subprocess.run(command, input=b"\n".join(events(1, 300)), check=True, timeout=60)
    assert (tmp_path / "7.dict").stat().st_size <= SIZE
