from __future__ import annotations

from dataclasses import replace

from relay.core.delivery.gate import GateRecord, GateState
from tests.contract.conftest import Subject

OPEN = GateRecord(GateState.OPEN, 0, 123456789012345, 900, 2, "replica-ü", 5, "http_502", 77)


async def test_a_fresh_gate_is_closed_at_version_zero(subject: Subject) -> None:
    assert await subject.gates.load("shop") == GateRecord()


async def test_a_record_is_stored_under_the_version_it_was_read_with(subject: Subject) -> None:
    assert await subject.gates.save("shop", OPEN, 0)
    stored = await subject.gates.load("shop")
    assert stored == replace(OPEN, version=1)
    assert not await subject.gates.save("shop", GateRecord(), 0)
    assert await subject.gates.load("shop") == stored
    assert await subject.gates.save("shop", GateRecord(), 1)
    assert await subject.gates.load("shop") == GateRecord(version=2)


async def test_pausing_is_apart_from_the_record(subject: Subject) -> None:
    assert not await subject.gates.paused("shop")
    await subject.gates.save("shop", OPEN, 0)
    await subject.gates.set_paused("shop", paused=True)
    assert await subject.gates.paused("shop")
    assert not await subject.gates.paused("app")
    assert (await subject.gates.load("shop")).version == 1
    assert await subject.gates.save("shop", OPEN, 1)
    assert await subject.gates.paused("shop")
    await subject.gates.set_paused("shop", paused=False)
    assert not await subject.gates.paused("shop")
