"""How fast this machine's server is: what a script may take is meant for one that is about as fast as a laptop."""

from __future__ import annotations

from relay.adapters.redis.store import RedisStore

LIMIT_US = 10_000
"""What no script may take, as everybody else waits meanwhile (design §4.3)."""

BARE_US = 1_000
"""What `BARE` takes on a server of that speed: slower ones may take as much longer for the rest as for this."""

SLOWEST = 4.0
"""Nobody runs a store on a machine that is slower than this."""

BARE = """
for at = 1, 500 do redis.call('XADD', KEYS[1], '*', 'e', ARGV[1], 'm', at) end
redis.call('DEL', KEYS[1])
"""


async def limit_us(store: RedisStore) -> float:
    """Microseconds a script may take here: the limit, or as much more as bare work takes longer. Counts begin anew."""
    taken: list[float] = []
    for _ in range(9):
        await store.client.run("CONFIG", "RESETSTAT")
        await store.client.run("EVAL", BARE, 1, "yardstick", "x" * 300)
        taken.append((await store.client.run("INFO", "commandstats"))["cmdstat_eval"]["usec"])
    await store.client.run("CONFIG", "RESETSTAT")
    return LIMIT_US * min(SLOWEST, max(1.0, min(taken) / BARE_US))
