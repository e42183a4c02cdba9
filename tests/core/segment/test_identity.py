from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.segment.identity import DERIVED_PREFIX, identify

EVENT = {"type": "track", "event": "Order Completed", "properties": {"order_id": "1", "n": 1.5}, "userId": "u"}


def test_the_senders_id_is_taken_as_it_is() -> None:
    assert identify({**EVENT, "messageId": " x" * 200}) == " x" * 200
    assert identify({**EVENT, "messageId": 7}) == "7"
    assert identify({**EVENT, "messageId": "", "message_id": "rudder"}) == "rudder"


@pytest.mark.parametrize("odd", [None, "", False, 1.5, [], {}])
def test_anything_else_is_no_id(odd: Any) -> None:
    found = identify({**EVENT, "messageId": odd, "message_id": odd})
    assert found.startswith(DERIVED_PREFIX)
    assert len(found) <= 100


@given(st.permutations(list(EVENT)), st.text(), st.text())
def test_a_derived_id_ignores_order_and_transport(order: list[str], sent: str, received: str) -> None:
    again = {name: EVENT[name] for name in order} | {
        "sentAt": sent,
        "receivedAt": received,
        "_metadata": {},
        "writeKey": "k",
    }
    assert identify(again) == identify(EVENT)


@pytest.mark.parametrize("change", [{"userId": "v"}, {"timestamp": "t"}, {"properties": {"order_id": "2", "n": 1.5}}])
def test_another_event_has_another_id(change: dict[str, Any]) -> None:
    assert identify({**EVENT, **change}) != identify(EVENT)
