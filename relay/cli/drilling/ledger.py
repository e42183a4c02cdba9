"""Who owes what at the end of a drill: judged by what the simulated TikTok counted, not by what the relay says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple


class Counted(NamedTuple):
    """What TikTok tells two conversions apart by."""

    event: str
    event_id: str


@dataclass(slots=True)
class Obligations:
    """What was sent, and what each 200 obliges the relay to."""

    sent: set[str] = field(default_factory=set)  # message ids
    repeated: int = 0  # requests that repeated an event, as Segment does after a timeout
    accepted: set[str] = field(default_factory=set)
    wanted: dict[Counted, str] = field(default_factory=dict)  # what TikTok must count → message id


@dataclass(frozen=True, slots=True)
class Ledger:
    """The end of a drill. Events, except ``counted`` and after it: items at TikTok. ``longest_delay`` in seconds."""

    sent: int
    repeated: int
    accepted: int
    wanted: int
    delivered: int
    dead_letters: int
    counted: int
    removed_repeats: int
    lost: int
    doubled: int
    longest_delay: float
    unbalanced: int
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether the relay kept its promises, and the drill proved something."""
        return self.lost == self.doubled == self.unbalanced == 0 and self.accepted == self.sent > 0 < self.counted

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {**asdict(self), "clean": self.clean}


class Relay(NamedTuple):
    """What the relay itself says at the end."""

    delivered: int
    unbalanced: int
    longest_delay: float
    seconds: float


def judge(obligations: Obligations, ids: Iterable[Mapping[str, Any]], dead: Iterable[str], relay: Relay) -> Ledger:
    """``ids``: rows of the simulator's books; ``dead``: message ids of dead letters, which are kept, not lost."""
    rows = {Counted(row["event"], row["event_id"]): row for row in ids}
    buried = set(dead)
    lost = [key for key, message_id in obligations.wanted.items() if key not in rows and message_id not in buried]
    counted = sum(row["counted"] for row in rows.values())
    return Ledger(
        sent=len(obligations.sent),
        repeated=obligations.repeated,
        accepted=len(obligations.accepted),
        wanted=len(set(obligations.wanted.values())),
        delivered=relay.delivered,
        dead_letters=len(buried),
        counted=counted,
        removed_repeats=sum(row["times"] for row in rows.values()) - counted,
        lost=len(lost),
        doubled=counted - len(rows),
        longest_delay=round(relay.longest_delay, 1),
        unbalanced=relay.unbalanced,
        seconds=round(relay.seconds, 1),
    )
