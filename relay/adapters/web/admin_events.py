"""Events through the operators' port: the same intake, trusted because of the token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from relay.adapters.web.admin_answers import Declined
from relay.core.errors import StoreMisused
from relay.core.segment.decode import Decoded, webhook_event
from relay.core.segment.envelope import Unreadable, open_envelope
from relay.engine.intake import Intake

SOURCE = "admin"  # label of what comes in here
BAD = 400


def receiver(intake: Intake, *, max_events: int, max_depth: int) -> Callable[[bytes], Awaitable[Mapping[str, int]]]:
    """What ``AdminParts.receive`` wants: a body in any form a webhook may have → events by outcome."""

    async def receive(body: bytes) -> Mapping[str, int]:
        opened = open_envelope(body, max_events)
        if isinstance(opened, Unreadable):
            raise Declined(BAD, opened.why.value, opened.message)
        # ``raw`` is the text of the only item, or None: then each is written anew.
        items = Decoded(opened.items, partial(webhook_event, raw=opened.raw, max_depth=max_depth))
        try:
            receipt = await intake.receive(items, SOURCE, sdk=False)
        except StoreMisused as error:
            raise Declined(503, "store_unavailable", f"The store refused these events: {error}.") from None
        if receipt.refused:
            raise Declined(BAD, receipt.refused.value, "There is no event in this request.")
        return {name: getattr(receipt, name) for name in ("accepted", "duplicate", "filtered", "dead")}

    return receive
