"""What a drill is planned to be, and what is seen of it while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LATEST_TROUBLE_S = 6.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Seconds. ``patience``: how long to wait for the end after traffic and trouble; ``rate``: events a second.

    The negative controls: ``forgiving``: TikTok removes repeats, as the real one does (its outage may then lose answers
    too); ``diligent``: somebody puts the new token where the relay reads it.
    """

    seconds: float = 30.0
    rate: float = 100.0
    trouble: float = 10.0
    patience: float = 60.0
    forgiving: bool = True
    diligent: bool = True

    @property
    def trouble_from(self) -> float:
        """When the trouble begins: early, so that recovery is seen under traffic."""
        return min(LATEST_TROUBLE_S, self.seconds / 4)

    @property
    def longest(self) -> float:
        """When nobody waits any longer."""
        return max(self.seconds, self.trouble_from + self.trouble) + self.patience


class Look(NamedTuple):
    """The situation at one moment. ``scene``: what is going on, ``ill``: whether that is trouble.

    ``owed``: what waits to be sent; ``oldest``: the age of the oldest of it in seconds.
    """

    at: float
    scene: str
    ill: bool
    sent: int
    accepted: int
    owed: int
    oldest: float
    gate: str
    counted: int
