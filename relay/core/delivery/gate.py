"""The gate of a destination: a circuit breaker whose behaviour is a transition table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class GateState(StrEnum):
    """Where a gate stands."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class GateRecord:
    """What is stored of a gate; every write names the version it read (``GateStore.save``)."""

    state: GateState = GateState.CLOSED
    version: int = 0
    until_ms: int = 0  # open: no probe before; held: no slow probe before
    wait_ms: int = 0  # last back-off, the input of the next decorrelated one
    step: int = 0  # rung of the probe ladder
    prober: str = ""  # replica that probes
    prober_until_ms: int = 0
    reason: str = ""  # why it left closed: a code or an error name
    since_ms: int = 0  # when it left closed
