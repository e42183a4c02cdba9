"""A relay that calls as often as it likes, whatever TikTok says: the negative control of the throttle drill."""

from __future__ import annotations

from relay.cli import main
from relay.core.delivery.governor import Governor
from relay.core.tiktok.verdict import Judgement


def deaf(self: Governor, judgement: Judgement, started: float, now: float) -> None:
    """Throttled? Never heard of it."""


if __name__ == "__main__":
    Governor._throttled = deaf  # type: ignore[method-assign]
    main(["serve"])
