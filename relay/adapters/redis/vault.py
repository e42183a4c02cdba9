"""Which keys a store was sealed with, and whether anything is left of a key that nobody lists any more.

The ids of all keys that ever sealed here stand in the store's description. One that is not listed stops a relay from
starting as long as a record of it is left: what cannot be opened would be taken for damaged, and given an ending.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping

from relay.adapters.redis import keys
from relay.adapters.redis.codec import CIPHER
from relay.adapters.redis.connect import Client, as_written_here
from relay.core.event import EntryClass, StreamKey

FIELD = b"key:"
IN_USE, RETIRED = 1, 0
PAGE = 1000


async def note(client: Client, key_id: str) -> None:
    """Before the first record is sealed with it."""
    await client.run("HSET", keys.meta(), FIELD + key_id.encode(), IN_USE)


async def retire(client: Client, listed: Collection[str]) -> None:
    """Nothing was found of the keys that are not listed: the next start need not look again.

    Where another replica goes on sealing with one all the same, who meets its records holds them, as always.
    """
    for key_id in await _unlisted_ids(client, listed):
        await client.run("HSET", keys.meta(), FIELD + key_id.encode(), RETIRED)


async def noted(client: Client, key_id: str) -> bool:
    """Whether anybody ever sealed with it here."""
    return bool(await client.run("HEXISTS", keys.meta(), FIELD + key_id.encode()))


async def unlisted(client: Client, listed: Collection[str]) -> dict[str, str]:
    """Id of every key that is not listed and still needed → where a record of it was found.

    Reads the store through when there may be one: a million records in some seconds.
    """
    missing = await _unlisted_ids(client, listed)
    return {key_id: place for key_id in missing if (place := await _place_of(client, key_id))}


async def _unlisted_ids(client: Client, listed: Collection[str]) -> list[str]:
    stored: dict[bytes, bytes] = await client.run("HGETALL", keys.meta())
    with as_written_here(keys.meta()):
        in_use = {name for name, state in stored.items() if name.startswith(FIELD) and int(state) != RETIRED}
    return sorted({name.removeprefix(FIELD).decode() for name in in_use} - set(listed))


def refusal(needed: Mapping[str, str]) -> str:
    """Why a relay does not start, and the way out."""
    found = ", ".join(f"key {key_id} ({place})" for key_id, place in needed.items())
    return (
        f"the store holds records sealed with a key that RELAY_ENCRYPTION_KEY does not list: {found}. List it behind"
        " the current one; see relay check for the ids of the listed keys. If it is lost for good, name it in"
        " journal.lost_keys: what it sealed then becomes dead letters, which keep their bytes."
    )


async def _place_of(client: Client, key_id: str) -> str:
    """A stream with a record of this key; '' when there is none."""
    async for name, field in _streams(client):
        after, looked = b"", PAGE
        while looked == PAGE:
            args = (field, after, PAGE, CIPHER, bytes.fromhex(key_id))
            looked, after, found = await client.script("sealed", [name], args)
            if found:
                return name
    return ""


async def _streams(client: Client) -> AsyncIterator[tuple[str, str]]:
    """Everything that may hold sealed records, and the field they stand in."""
    members = sorted(member.decode() for member in await client.run("SMEMBERS", keys.streams()))
    destinations = [keys.INTAKE, *dict.fromkeys(member.rpartition(":")[0] for member in members)]
    for member in members:
        destination, _, klass = member.rpartition(":")
        yield keys.owed(StreamKey(destination, EntryClass(klass))), "e"
    for klass in EntryClass:
        yield keys.archive(klass), "e"
    for destination in destinations:
        yield keys.dead(destination), "e"
        for number in sorted(map(int, await client.run("HKEYS", keys.incidents(destination)))):
            yield keys.incident_log(destination, number), "d"
