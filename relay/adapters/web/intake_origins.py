"""Whose pages may send: CORS for each source.

A browser asks before it sends, and its question carries no write key. So the answer to a preflight is for all sources
together, and the request itself is checked against the list of its own source.
"""

from __future__ import annotations

from collections.abc import Mapping

from relay.adapters.web.intake_options import SourceOptions


class Origins:
    """Which origin may send to which source; a source without a list takes all."""

    def __init__(self, sources: Mapping[str, SourceOptions]) -> None:
        self._of_source = {name: source.origins for name, source in sources.items()}
        speakers = [source for source in sources.values() if source.write_keys] or sources.values()
        self._for_all = {frozenset(source.origins) for source in speakers}

    def allowed(self, source: str, origin: str) -> bool:
        """Whether pages of ``origin`` may send to ``source``."""
        allowed = self._of_source.get(source, ())
        return not allowed or _matches(origin.lower(), allowed)

    def allowed_anywhere(self, origin: str) -> bool:
        """Whether pages of ``origin`` may send to any source that SDKs have a write key for."""
        return any(not allowed or _matches(origin.lower(), allowed) for allowed in self._for_all)


def _matches(origin: str, allowed: tuple[str, ...] | frozenset[str]) -> bool:
    """Word for word, or any name below the domain of ``https://*.example.com``."""
    if origin in allowed:
        return True
    scheme, _, host = origin.partition("://")
    _, _, domain = host.partition(".")
    while domain:
        if f"{scheme}://*.{domain}" in allowed:
            return True
        _, _, domain = domain.partition(".")
    return False
