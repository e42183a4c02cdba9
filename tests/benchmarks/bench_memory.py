"""What an owed entry and a remembered id cost in the server's memory, measured with the real scripts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from relay.adapters.redis import keys
from relay.adapters.redis.connect import connect
from relay.adapters.redis.store import RedisStore
from relay.adapters.system import SystemClock
from relay.core.event import DEFAULT_SOURCE, EntryClass, Lane, NewEntry, Settlement, StreamKey
from tests.benchmarks.load import events
from tests.contract.valkey import valkey_server

HELD_OUT_SEED = 4711  # the shipped dictionary was trained on other ones
EXAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "segment_examples.jsonl"
STREAMS = [StreamKey("tiktok", klass) for klass in EntryClass]
VIEWS = STREAMS[1]
GROUP = 512
TARGETS = {"entry_ratio": 0.23, "examples_ratio": 0.55, "bytes_an_id": 14.0, "empty_epoch_bytes": 3_000_000}


def run(entries: int = 20_000, ids: Sequence[int] = (1_000_000, 8_000_000)) -> dict[str, Any]:
    """Each figure on a fresh server."""
    figures: dict[str, Any] = {}
    raws = events(HELD_OUT_SEED, entries)
    figures |= {f"entry_{name}": value for name, value in asyncio.run(_entries(raws)).items()}
    if EXAMPLES.exists():
        lines = EXAMPLES.read_text("utf-8").splitlines()
        compact = [json.dumps(json.loads(line)["event"], separators=(",", ":"), ensure_ascii=False) for line in lines]
        found = asyncio.run(_entries([text.encode() for text in compact] * 20))
        figures |= {f"examples_{name}": value for name, value in found.items()}
    figures["empty_epoch_bytes"] = asyncio.run(_ids([1]))[0][1]
    for count, used in asyncio.run(_ids([count // keys.BUCKETS for count in ids])):
        figures[f"bytes_an_id_at_{round(count / 1e6)}M"] = used / count
    return figures | {"ok": all(value <= _target(name) for name, value in figures.items())}


def _target(name: str) -> float:
    return next((limit for start, limit in TARGETS.items() if name.startswith(start)), float("inf"))


async def _used(store: RedisStore) -> int:
    return int((await store.client.run("INFO", "memory"))["used_memory"])


async def _entries(raws: list[bytes]) -> dict[str, Any]:
    """``used_memory`` an owed entry ÷ its raw bytes; what the ids of these events cost is measured apart."""
    with valkey_server(lazyfree_lazy_user_del="no") as socket:  # freed at once, or the difference is not to be seen
        store = await RedisStore.open(connect(f"unix://{socket}"), STREAMS, SystemClock())
        now = SystemClock().now_ms()
        groups = [
            [
                NewEntry(VIEWS, f"{start}-{at}", raw, now, DEFAULT_SOURCE)
                for at, raw in enumerate(raws[start : start + GROUP])
            ]
            for start in range(0, len(raws), GROUP)
        ]
        began, cpu = time.perf_counter(), time.process_time()
        for group in groups:
            await store.inbox.append(group)
        append_s, append_cpu = time.perf_counter() - began, time.process_time() - cpu
        await store.client.run("SCRIPT", "FLUSH")
        full = await _used(store)
        await store.client.run("DEL", keys.owed(VIEWS))
        per_entry = (full - await _used(store)) / len(raws)
        for group in groups:
            await store.inbox.append(
                [NewEntry(VIEWS, f"again-{entry.event_id}", entry.raw, now, DEFAULT_SOURCE) for entry in group]
            )
        drain_s, drain_cpu = await _drain(store)
        await store.close()
    return {
        "ratio": per_entry / (sum(map(len, raws)) / len(raws)),
        "bytes": per_entry,
        "raw_bytes": sum(map(len, raws)) / len(raws),
        "append_us": append_s / len(raws) * 1e6,
        "append_cpu_us": append_cpu / len(raws) * 1e6,
        "claim_settle_us": drain_s / len(raws) * 1e6,
        "claim_settle_cpu_us": drain_cpu / len(raws) * 1e6,
    }


async def _drain(store: RedisStore) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    while (claimed := await store.owed.claim(VIEWS, Lane.LIVE, 500, 10**9)) is not None:
        await store.owed.settle(claimed.lease, Settlement([entry.id for entry in claimed.entries]))
    return time.perf_counter() - began, time.process_time() - cpu


async def _ids(members_per_bucket: Sequence[int]) -> list[tuple[int, int]]:
    """(ids, bytes) of one epoch with so many members in each bucket, as the append script writes them.

    Members are spread evenly; real digests spread as a Poisson distribution does, which costs no more: an intset has no
    overhead that depends on its neighbours.
    """
    script = """
    local from, to, first = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    for bucket = from, to do
      local key = ARGV[4] .. string.format('%x', bucket)
      for member = first, tonumber(ARGV[5]) do
        local high, low = (bucket * 7919 + member * 104729) % 2147483647, (member * 48271 + bucket) % 2147483647
        redis.call('SADD', key, string.format('%d%010d', high, low))
      end
      redis.call('PEXPIREAT', key, ARGV[6])
    end"""
    found = []
    with valkey_server() as socket:
        client = connect(f"unix://{socket}", timeout=30)
        now = SystemClock().now_ms()
        prefix = keys.seen_prefix(EntryClass.ENGAGEMENT, now // keys.DAY_MS)
        await client.run("EVAL", script, 0, 0, -1, 1, prefix, 0, 0)
        before, done = int((await client.run("INFO", "memory"))["used_memory"]), 0
        for members in sorted(members_per_bucket):
            for start in range(0, keys.BUCKETS, 256):
                await client.run("EVAL", script, 0, start, start + 255, done + 1, prefix, members, now + keys.DAY_MS)
            done = members
            after = int((await client.run("INFO", "memory"))["used_memory"])
            count = 0
            for bucket in (0, 1, keys.BUCKETS - 1):
                count += await client.run("SCARD", prefix + b"%x" % bucket)
            assert count == 3 * members
            found.append((members * keys.BUCKETS, after - before))
        await client.close()
    return found
