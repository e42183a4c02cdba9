from __future__ import annotations

from collections import Counter

import pytest

from relay.core.delivery.service import OLDEST_FIRST, QUEUES, SHARES, Queue, Service
from relay.core.event import EntryClass, Lane


def serve(owed: dict[Queue, int], rounds: int, batch: int = 500) -> Counter[Queue]:
    service, served = Service(), Counter[Queue]()
    for _ in range(rounds):
        for queue in service.order():
            entries = min(batch, owed[queue])
            if not entries:
                service.empty(queue)
                continue
            owed[queue] -= entries
            served[queue] += entries
            service.served(queue, entries)
            break
    return served


def test_best_first_when_nobody_is_short() -> None:
    assert Service().order() == list(QUEUES)


def test_everybody_gets_at_least_its_share() -> None:
    served = serve(dict.fromkeys(QUEUES, 10**9), rounds=1000)
    for queue, share in SHARES.items():
        assert served[queue] / served.total() >= share - 0.01


def test_what_nobody_needs_goes_to_the_best() -> None:
    served = serve(dict.fromkeys(QUEUES, 10**9), rounds=1000)
    assert served[QUEUES[0]] / served.total() == pytest.approx(0.65, abs=0.02)
    served = serve({**dict.fromkeys(QUEUES, 0), QUEUES[3]: 10**9}, rounds=100)
    assert served == {QUEUES[3]: 50_000}


def test_a_backlog_does_not_hold_up_fresh_conversions() -> None:
    service = Service()
    for _ in range(100):
        service.empty(QUEUES[0])
        service.served(QUEUES[1], 500)
    assert service.order()[0] == QUEUES[0]


def test_an_empty_queue_saves_up_nothing() -> None:
    service = Service()
    for _ in range(1000):
        service.served(QUEUES[0], 500)
        for queue in QUEUES[1:]:
            service.empty(queue)
    assert service.order() == list(QUEUES)


def test_probes_take_the_oldest() -> None:
    assert OLDEST_FIRST[0] == Queue(EntryClass.CONVERSION, Lane.BACKLOG)
    assert set(OLDEST_FIRST) == set(QUEUES)
