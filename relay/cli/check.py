"""``relay check``: would it start, what would a 200 survive, does TikTok know us, what to enter in Segment."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from rich.console import Console

from relay.app.mappings import Examined
from relay.cli.checking import Report, look
from relay.cli.client import Misconfigured
from relay.cli.drawing import print_json, screen, table
from relay.config import load_settings
from relay.core.errors import ConfigError
from relay.core.event import JsonObject

MARKS = {"ok": "ok", "warning": "WARNING", "refuse": "REFUSED"}


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="relay.toml; outranks RELAY_CONFIG.")
@click.option("--offline", is_flag=True, help="Do not ask TikTok about the tokens.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def check(config: Path | None, offline: bool, as_json: bool) -> None:
    """Check configuration, store and credentials before (or while) a relay runs. Sends no conversion."""
    try:
        loaded = load_settings(config)
    except ConfigError as error:
        raise Misconfigured(
            "the configuration cannot be used:\n" + "\n".join(f"  {p}" for p in error.problems)
        ) from None
    report = asyncio.run(look(loaded, offline=offline))
    if as_json:
        print_json(document(report))
    else:
        draw(screen(), report)
    sys.exit(exit_code(report))


def exit_code(report: Report) -> int:
    """2 for what the operator must set otherwise, 1 for what the world says no to."""
    if report.problems:
        return 2
    return 0 if report.good else 1


def document(report: Report) -> JsonObject:
    """For scripts."""
    findings = report.health.findings if report.health else ()
    return {
        "ok": report.good,
        "problems": report.problems,
        "configuration": {
            key: {"value": value, "from": origin} for key, (value, origin) in report.configuration.items()
        },
        "store": {
            "which": report.store,
            "durability": report.health.durability if report.health else None,
            "on_full": report.on_full[0],
            "on_full_means": report.on_full[1],
            "findings": [{"level": one.level.value, "topic": one.topic, "text": one.text} for one in findings],
        },
        "mappings": {
            name: {
                "source": one.source,
                "subscriptions": one.subscriptions,
                "disabled": one.disabled,
                "problems": list(one.problems),
            }
            for name, one in report.mappings.items()
        },
        "tiktok": {name: {"good": probe.good, "detail": probe.detail} for name, probe in report.probes.items()},
        "segment": report.segment,
        "destinations": report.destinations,
    }


def draw(console: Console, report: Report) -> None:
    """For people."""
    rows = [(key, value, origin) for key, (value, origin) in report.configuration.items()]
    console.print(table("Configuration", ("key", "value", "from"), rows))
    draw_mappings(console, report)
    draw_store(console, report)
    draw_tiktok(console, report)
    draw_destinations(console, report)
    for settings in report.segment:
        draw_segment(console, settings)
    for problem in report.problems:
        console.print(f"PROBLEM  {problem}")
    console.print("\nAll good: relay serve will start." if report.good else "\nNot good yet; see above.")


def draw_mappings(console: Console, report: Report) -> None:
    """Which mapping each destination uses."""
    rows = [
        (MARKS["refuse" if one.problems else "ok"], name, one.source, contents(one))
        for name, one in report.mappings.items()
    ]
    if rows:
        console.print(table("\nMappings", ("", "destination", "mapping", "holds"), rows))


def contents(mapping: Examined) -> str:
    """How many subscriptions it has, or that it cannot be used."""
    if mapping.problems:
        return f"{counted(len(mapping.problems), 'problem')}, see below"
    off = f", {mapping.disabled} disabled" if mapping.disabled else ""
    return f"{counted(mapping.subscriptions, 'subscription')}{off}"


def counted(count: int, thing: str) -> str:
    """``1 problem``, ``2 problems``."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def draw_store(console: Console, report: Report) -> None:
    """Findings, the durability first."""
    if report.health is None:
        return
    console.print(f"\nStore: {report.store}")
    console.print(f"  {report.health.durability}")
    console.print("  journal.on_full = {}: {}".format(*report.on_full))
    rows = [
        (MARKS[one.level.value], one.topic, one.text) for one in report.health.findings if one.topic != "durability"
    ]
    console.print(table("", ("", "looked at", "found"), rows))


def draw_tiktok(console: Console, report: Report) -> None:
    """One line per destination."""
    if not report.probes:
        return
    words = {True: "ok", False: "REFUSED", None: "unknown"}
    rows = [(words[probe.good], name, probe.detail) for name, probe in report.probes.items()]
    console.print(table("\nTikTok", ("", "destination", "answer"), rows))


def draw_destinations(console: Console, report: Report) -> None:
    """Mode and overlap policy of each, and what they mean."""
    for one in report.destinations:
        rows = [
            ("event source", f"{one['event_source']} {one['event_source_id']}"),
            (f"mode = {one['mode']}", one["mode_means"]),
            (f"also_sent_by = {one['also_sent_by']}", one["overlap_means"]),
        ]
        rows += [("WARNING", one["caution"])] if one["caution"] else []
        console.print(table(f"\nDestination {one['name']}", ("", "means"), rows))


def sdk_hosts(where: str) -> str:
    """How SDKs are told where the relay is: servers by ``host``, browsers and apps by ``apiHost``."""
    return f"host {where}, or apiHost {where.partition('://')[2]}/v1, with this source's write key"


def draw_segment(console: Console, settings: JsonObject) -> None:
    """What to type into Segment's form."""
    title = f"source {settings['source']}" if settings["source"] else "Webhooks (Actions) destination"
    headers = ", ".join(f"{name}: {value}" for name, value in settings["headers"].items())
    rows = [
        ("URL", settings["url"]),
        ("", f"this relay listens on {settings['listens_on']}"),
        ("Method", settings["method"]),
        ("Shared secret", settings["shared_secret"] or "(none set)"),
        ("Headers", headers or "(none needed)"),
        ("Data", settings["data"]),
        ("Batching", "off" if settings["batch_size"] == 1 else f"at most {settings['batch_size']} events"),
    ]
    rows += [("SDKs", sdk_hosts(settings["sdk_host"]))] if settings["sdk_host"] else []
    rows += [("Destinations", ", ".join(settings["feeds"]))] if settings["feeds"] else []
    console.print(table(f"\nEnter in Segment: {title}", ("setting", "value"), rows))
    if settings["note"]:
        console.print(settings["note"])
