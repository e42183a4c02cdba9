"""Who owes what at the end of a drill: judged by what the simulated TikTok counted, not by what the relay says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    bad: set[str] = field(default_factory=set)  # message ids of what TikTok will refuse


class Promise(NamedTuple):
    """What a scenario is about, said with the figure measured, and whether it was kept."""

    said: str
    kept: bool


class Relay(NamedTuple):
    """What the relay itself says at the end."""

    delivered: int
    unbalanced: int
    longest_delay: float
    seconds: float


@dataclass(frozen=True, slots=True)
class End:
    """Everything there is to judge: what was sent, TikTok's books, the relay's dead letters, its own account."""

    obligations: Obligations
    rows: Sequence[Mapping[str, Any]]
    letters: Sequence[Mapping[str, Any]]
    relay: Relay

    @property
    def buried(self) -> set[str]:
        """Message ids of dead letters."""
        return {str(letter["message_id"]) for letter in self.letters}

    @property
    def counted(self) -> dict[Counted, int]:
        """How often TikTok counted each item."""
        return {Counted(row["event"], row["event_id"]): row["counted"] for row in self.rows}


@dataclass(frozen=True, slots=True)
class Ledger:
    """The end of a drill. Events, except ``counted`` and after it: items at TikTok. ``longest_delay`` in seconds.

    ``dead_because`` is the most frequent reason of a dead letter, in TikTok's words where it said some.
    """

    sent: int
    repeated: int
    accepted: int
    wanted: int
    delivered: int
    dead_letters: int
    dead_because: str
    counted: int
    removed_repeats: int
    lost: int
    doubled: int
    longest_delay: float
    unbalanced: int
    seconds: float
    promises: tuple[Promise, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether the relay kept its promises, and the drill proved something."""
        kept = all(promise.kept for promise in self.promises)
        harmless = self.lost == self.doubled == self.unbalanced == 0
        return kept and harmless and self.accepted == self.sent > 0 < self.counted

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        promises = [promise._asdict() for promise in self.promises]
        return {**asdict(self), "promises": promises, "clean": self.clean}


def judge(end: End, promises: Iterable[Promise] = ()) -> Ledger:
    """The ledger. A dead letter is kept, not lost; whether it should be one is for the scenario's promises to say."""
    sent, counted, buried = end.obligations, end.counted, end.buried
    lost = [key for key, message_id in sent.wanted.items() if key not in counted and message_id not in buried]
    return Ledger(
        sent=len(sent.sent),
        repeated=sent.repeated,
        accepted=len(sent.accepted),
        wanted=len(set(sent.wanted.values())),
        delivered=end.relay.delivered,
        dead_letters=len(buried),
        dead_because=most_frequent(end.letters),
        counted=sum(counted.values()),
        removed_repeats=sum(row["times"] for row in end.rows) - sum(counted.values()),
        lost=len(lost),
        doubled=sum(counted.values()) - len(counted),
        longest_delay=round(end.relay.longest_delay, 1),
        unbalanced=end.relay.unbalanced,
        seconds=round(end.relay.seconds, 1),
        promises=tuple(promises),
    )


def most_frequent(letters: Iterable[Mapping[str, Any]]) -> str:
    """Why most of them died."""
    reasons = Counter(f"{letter['reason']}: {letter['message']}" for letter in letters)
    return reasons.most_common(1)[0][0] if reasons else ""
