"""A call as the log of calls keeps it."""

from __future__ import annotations

from collections.abc import Sequence

from relay.core.delivery.batch import Batch, Parcel
from relay.core.event import Attempt, Claimed, Entry
from relay.core.tiktok.reply import Reply
from relay.core.tiktok.verdict import Judgement

CALLED_OFF = "called_off"
"""Verdict and label of a call whose answer was not waited for: the process was going down."""


def attempt_of(claimed: Claimed, batch: Batch, at_ms: int, judgement: Judgement | None, reply: Reply | None) -> Attempt:
    """A call as the log keeps it; without judgement and reply it was called off."""
    first_id, last_id = batch.parcels[0].entry_id, batch.parcels[-1].entry_id
    return Attempt(
        klass=claimed.lease.stream.klass,
        first_id=first_id,
        last_id=last_id,
        whole=_is_whole(claimed.entries, batch.parcels),
        items=batch.items,
        at_ms=at_ms,
        verdict=judgement.verdict.value if judgement else CALLED_OFF,
        label=judgement.label if judgement else CALLED_OFF,
        request_id=reply.request_id if reply else "",
        log_id=reply.log_id if reply else "",
        number=claimed.lease.number,
    )


def _is_whole(entries: Sequence[Entry], parcels: Sequence[Parcel]) -> bool:
    """Whether a call carried every entry between its first and its last. Mostly all of the lease.

    Parcels come in the order of the entries, and two of one entry share a call only when nothing else is in it.
    """
    first_id, last_id = parcels[0].entry_id, parcels[-1].entry_id
    if len(parcels) == len(entries) or first_id == last_id:
        return True
    ids = [entry.id for entry in entries]
    return ids.index(last_id) - ids.index(first_id) + 1 == len(parcels)
