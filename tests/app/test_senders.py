"""From settings to who may send and who is asked for it."""

from __future__ import annotations

from relay.app import parts
from relay.cli.serve import in_sandbox
from relay.config import Loaded, Settings
from relay.core.event import DEFAULT_SOURCE
from relay.core.segment.select import Route

DESTINATIONS = [
    {"name": name, "event_source_id": name, "access_token": "made-up"} for name in ("shop", "outlet", "spare")
]


def routes() -> list[Route]:
    return [Route(str(one["name"]), frozenset(), lambda _: ("Purchase",), frozenset()) for one in DESTINATIONS]


def asked(settings: Settings, source: str) -> list[str]:
    return [route.conversion.destination for route in parts.feeds(settings, routes())(source)]


def test_a_source_feeds_the_destinations_it_names_else_the_common_ones_else_all() -> None:
    sources = {"ios": {"destinations": ["outlet", "shop"]}, "web": {}}
    settings = Settings(destinations=DESTINATIONS, segment={"sources": sources})
    assert asked(settings, "ios") == ["shop", "outlet"]
    for source in ("web", DEFAULT_SOURCE, "admin"):
        assert asked(settings, source) == ["shop", "outlet", "spare"]
    common = {"sources": sources, "destinations": ["spare"]}
    settings = Settings(destinations=DESTINATIONS, segment=common)
    assert asked(settings, "ios") == ["shop", "outlet"]
    assert asked(settings, "web") == asked(settings, DEFAULT_SOURCE) == ["spare"]
    assert asked(settings, "admin") == ["shop", "outlet", "spare"]  # operators choose no source


def test_in_the_sandbox_every_source_feeds_the_simulator() -> None:
    sources = {"ios": {"destinations": ["shop"]}}
    segment = {"sources": sources, "destinations": ["outlet"]}
    settings = Settings(destinations=DESTINATIONS, segment=segment)
    sandbox = in_sandbox(Loaded(settings, {}), "http://127.0.0.1:1").settings
    assert all(not source.destinations for source in sandbox.senders.values())


def test_what_a_source_does_not_say_is_common() -> None:
    common = {
        "shared_secret": "s", "token": "t", "write_keys": "w", "allowed_origins": "https://a.example.com",
        "sources": {"ios": {"token": "own", "allowed_origins": "https://b.example.com"}, "web": {}},
    }  # fmt: skip
    options = parts.intake_options(Settings(segment=common))
    ios, web = options.sources["ios"], options.sources["web"]
    assert (ios.secrets, ios.tokens, ios.write_keys, ios.origins) == (
        (b"s",), (b"own",), (), ("https://b.example.com",),
    )  # fmt: skip
    assert (web.secrets, web.tokens, web.write_keys) == ((b"s",), (b"t",), ())
    assert web.origins == ("https://a.example.com",)
