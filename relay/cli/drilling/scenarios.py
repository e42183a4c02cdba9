"""The scenarios of ``relay drill``: what each is about, how long it takes, and what it needs on stage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from relay.cli.drilling.directions import Crash, Outage, Poison, Standby, Throttle, Token
from relay.cli.drilling.play import Direction


@dataclass(frozen=True, slots=True)
class Scenario:
    """Seconds of traffic and of trouble unless somebody asks for others; ``settings`` of the relay on stage.

    ``bad_every``: one in so many events is one that TikTok refuses.
    """

    about: str
    direction: Callable[[], Direction]
    seconds: float = 30.0
    trouble: float = 10.0
    bad_every: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)


SCENARIOS = {
    "outage": Scenario("TikTok loses answers, goes down, and comes back", Outage, trouble=12.0),
    "throttle": Scenario("TikTok comes back throttled, and fails some calls", Throttle, trouble=12.0),
    "token": Scenario("the access token is revoked, and replaced while everything is held", Token, seconds=25.0),
    "poison": Scenario(
        "some events are bad, and TikTok says which one, or does not", Poison, seconds=25.0, trouble=12.0, bad_every=150
    ),
    "crash": Scenario(
        "relay and Valkey are killed in the middle of a drain",
        Crash,
        seconds=25.0,
        trouble=6.0,
        # What a killed relay was sending is sent again when its lease falls due: half a minute, in earnest.
        settings={"RELAY_DELIVERY__TIMEOUT": "3s", "RELAY_JOURNAL__LEASE": "5s"},
    ),
    "standby": Scenario(
        "Segment's own destination silently loses half of the events",
        Standby,
        trouble=12.0,
        # A failback finishes what came within twice this time.
        settings={"RELAY_DESTINATIONS__0__MODE": "standby", "RELAY_JOURNAL__TIMEOUT": "2s"},
    ),
}
