"""Rate limits in fixed windows, for each token and for each event source (TikTok sheet section 6)."""

from __future__ import annotations

from relay.simulator.control import Limits

APP_LIMIT, PIXEL_LIMIT = 40100, 40132
MINUTE, FIVE_MINUTES, DAY = 60.0, 300.0, 86_400.0


class Windows:
    """Counts calls; answers a refusal as (code, message), or None. Times are seconds since the epoch."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, float], tuple[int, int]] = {}
        self._barred: dict[str, float] = {}

    def clear(self) -> None:
        """Forget every count and every bar, as a changed limit starts afresh."""
        self._counts.clear()
        self._barred.clear()

    def token(self, token: str, limits: Limits, now: float) -> tuple[int, str] | None:
        """Over a minute's limit means 5 minutes without service, over a day's until 00:00 UTC."""
        if now < self._barred.get(token, 0.0):
            return APP_LIMIT, "Due to too many requests, requests from App are temporarily restricted."
        for length, limit in ((DAY, limits.per_day), (MINUTE, limits.per_minute)):
            if self._over(token, length, limit, now):
                self._barred[token] = now + FIVE_MINUTES if length == MINUTE else now - now % DAY + DAY
                return APP_LIMIT, "Too many requests. Please retry in some time."
        if self._over(token, 1.0, limits.per_second, now):
            return APP_LIMIT, "App reaches the QPS limit."
        return None

    def pixel(self, source: str, limits: Limits, now: float) -> tuple[int, str] | None:
        """The limit by field value, which knows no longer window."""
        if self._over(f"pixel {source}", 1.0, limits.per_pixel, now):
            return PIXEL_LIMIT, "The request QPS is limited by pixel_code's value."
        return None

    def _over(self, name: str, length: float, limit: int, now: float) -> bool:
        if not limit:
            return False
        window, key = int(now // length), (name, length)
        counted_in, count = self._counts.get(key, (window, 0))
        count = count + 1 if counted_in == window else 1
        self._counts[key] = (window, count)
        return count > limit
