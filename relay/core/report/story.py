"""What a report says, before it is Markdown or HTML: a headline, a few sentences, figures, tables, notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from relay.core.event import JsonObject
from relay.core.report.words import duration, moment, money, number, plural, span

CAUSES = {
    "gate": "deliveries to TikTok stopped",
    "backlog": "a backlog stood",
    "failover": "a fail-over took the destination over",
}
VERDICTS = {
    "retry": "TikTok's trouble, tried again",
    "slow_down": "throttled, tried again later",
    "hold": "token or configuration, held",
    "split": "something in the call was bad, looked for it",
    "dead_letter": "the item was refused",
}

LARGE = 10_000  # units; what is worth more is told without cents where there is little room


class Table(NamedTuple):
    """Cells are text, lines apart. ``right``: numbers of the columns that hold figures; ``bold``: rows that sum up.

    ``share``: the column that says how much of the whole a row is; -1 for none.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[int] = frozenset()
    bold: frozenset[int] = frozenset()
    note: str = ""
    share: int = -1


class Figure(NamedTuple):
    """One number worth a box of its own."""

    label: str
    value: str
    hint: str = ""


class Story(NamedTuple):
    """The whole of it, in the order of reading."""

    title: str
    lead: Sequence[str]
    figures: Sequence[Figure]
    tables: Sequence[Table]
    notes: Sequence[str]


def story(document: JsonObject) -> Story:
    """Tell a document."""
    tables = (
        ledger(document),
        conversions(document),
        delays(document),
        codes(document),
        episodes(document),
        timeline(document),
    )
    title = f"Incident {document['id']}"
    shown = [table for table in tables if table.rows]
    return Story(title, list(lead(document)), figures(document), shown, list(notes(document)))


def lead(document: JsonObject) -> Iterator[str]:
    """What somebody reads who reads only this."""
    causes = " and ".join(CAUSES.get(cause, cause) for cause in document["causes"]) or "something was wrong"
    reason = f" ({document['reason']})" if document["reason"] else ""
    since, took = moment(document["opened_at"]), duration(document["seconds"])
    if document["open"]:
        yield f"Since {since} UTC ({took}), {causes}{reason}. It is still open; figures as of {as_of(document)}."
    else:
        until = moment(document["settled_at"] or document["closed_at"])
        yield f"From {since} to {until} UTC ({took}), {causes}{reason}."
    entries = document["entries"]
    late = f", {number(entries['late'])} of them more than a minute after they came in" if entries["late"] else ""
    waiting = "are still waiting" if document["open"] else "were on their way when it closed"
    yield (
        f"{plural(entries['owed_before'] + entries['arrived'], 'event')} had to be delivered to"
        f" {document['destination']}: {number(entries['delivered'])} were accepted by TikTok{late}."
        f" {fate(entries, waiting)}"
    )


def as_of(document: JsonObject) -> str:
    """When the books were last looked at."""
    return f"{moment(document['as_of'])} UTC"


def fate(entries: JsonObject, waiting: str) -> str:
    """What became of the others. ``waiting``: how to call what is owed at the end of the report."""
    lost, doubt = sum(entries["lost"].values()), sum(entries["in_doubt"].values())
    said = [
        text
        for count, text in (
            (entries["expired"], f"{number(entries['expired'])} expired"),
            (doubt, f"{number(doubt)} are in doubt"),
            (entries["refused"], f"{number(entries['refused'])} were refused by TikTok"),
            (entries["unmappable"], f"{number(entries['unmappable'])} could not be mapped"),
            (entries["forgotten"], f"{number(entries['forgotten'])} were erased on request"),
            (entries["owed_after"], f"{number(entries['owed_after'])} {waiting}"),
            (lost, f"{number(lost)} were lost"),
        )
        if count
    ]
    sentences = [", ".join(said) + "."] if said else []
    return " ".join([*sentences, *([] if lost else ["No event was lost."])])


def figures(document: JsonObject) -> list[Figure]:
    """The boxes."""
    entries, value = document["entries"], document["value"]
    doubt, lost = sum(entries["in_doubt"].values()), sum(entries["lost"].values())
    return [
        Figure("delivered", number(entries["delivered"]), coins(value["delivered"])),
        Figure("most waiting", number(entries["most_owed"]), coins(value["most_owed"])),
        Figure("longest delay", duration(document["delays"]["max"]), "receipt to TikTok's OK"),
        Figure("expired", number(entries["expired"]), coins(value["dead"].get("expired", {}))),
        Figure("in doubt", number(doubt), coins(doubtful(value["dead"]))),
        Figure("lost", number(lost), "given up by the relay"),
    ]


def coins(values: dict[str, float]) -> str:
    """Money, a currency a line."""
    rounded = {currency: round(amount, 0 if amount >= LARGE else 2) for currency, amount in values.items()}
    return "\n".join(money({currency: amount}).replace(".00", "") for currency, amount in rounded.items())


def doubtful(dead: JsonObject) -> dict[str, float]:
    """Value of the dead letters that TikTok may have."""
    total: dict[str, float] = {}
    for reason in ("overlap", "ambiguous"):
        for currency, amount in dead.get(reason, {}).items():
            total[currency] = total.get(currency, 0.0) + amount
    return total


def ledger(document: JsonObject) -> Table:
    """What came and what became of it; the two sums are equal."""
    entries, dead = document["entries"], document["value"]["dead"]
    came = [
        ("waiting when it began", entries["owed_before"], ""),
        ("came in during it", entries["arrived"], ""),
        ("requeued by operators", entries["requeued"], ""),
    ]
    waiting = "still waiting" if document["open"] else "on their way when it closed"
    ended = [
        ("accepted by TikTok", entries["delivered"], money(document["value"]["delivered"])),
        ("expired: older than the destination accepts", entries["expired"], worth(dead, "expired")),
        ("in doubt: somebody else may have sent it", entries["in_doubt"]["overlap"], worth(dead, "overlap")),
        ("in doubt: TikTok may have got it", entries["in_doubt"]["ambiguous"], worth(dead, "ambiguous")),
        ("refused by TikTok, kept as dead letters", entries["refused"], worth(dead, "refused")),
        ("not mappable, kept as dead letters", entries["unmappable"], worth(dead, "unmappable")),
        ("wanted by no subscription any more", entries["unmatched"], ""),
        ("lapsed: stood by too long, somebody else sends them", entries["lapsed"], ""),
        ("erased on request: their person is to be forgotten", entries["forgotten"], ""),
        *((f"lost: {name}", count, "") for name, count in entries["lost"].items()),
        (waiting, entries["owed_after"], money(document["value"]["owed_after"])),
    ]
    rows = [row for row in came[:2] if row] + [row for row in came[2:] if row[1]]
    total = ("in all", sum(row[1] for row in came), "")
    others = [row for row in ended[1:] if row[1]]
    shown = [*rows, total, ended[0], *others, ("in all", sum(row[1] for row in ended), "")]
    cells = [(text, number(count), extra) for text, count, extra in shown]
    bold = frozenset({len(rows), len(cells) - 1})
    return Table("What became of the events", ("", "events", "value"), cells, frozenset({1, 2}), bold)


def worth(dead: JsonObject, reason: str) -> str:
    """Value of the dead letters of one reason."""
    return money(dead.get(reason, {}))


def conversions(document: JsonObject) -> Table:
    """Delivered items by event and currency."""
    rows = [
        (row["event"] or "–", number(row["items"]), money({row["currency"]: row["value"]}) if row["value"] else "–")
        for row in document["events"]
    ]
    rest = document["not_broken_down"]
    note = (
        f"{plural(rest, 'delivered event')} not broken down: a relay process ended before it could say." if rest else ""
    )
    return Table("Delivered, by TikTok event", ("event", "items", "value"), rows, frozenset({1, 2}), note=note)


def delays(document: JsonObject) -> Table:
    """Counts by delay, empty buckets outside left out."""
    buckets, low, rows = document["delays"]["buckets"], 0, []
    total = sum(one["entries"] for one in buckets)
    for one in buckets:
        high = one["up_to_seconds"]
        name = f"over {duration(low)}" if high is None else f"{duration(low)} – {duration(high)}"
        low = high or low
        if one["entries"]:
            rows.append((name, number(one["entries"]), f"{one['entries'] / total:.1%}"))
    half, most, longest = (duration(document["delays"][name]) for name in ("p50", "p95", "max"))
    note = f"Half within {half}, 95 % within {most}, all within {longest}."
    columns = ("from receipt to TikTok's OK", "events", "share")
    return Table("How late", columns, rows, frozenset({1, 2}), note=note if rows else "", share=2)


def codes(document: JsonObject) -> Table:
    """What TikTok answered."""
    rows = [
        (
            row["code"],
            VERDICTS.get(row["verdict"], row["verdict"]) + (f"\n“{row['message']}”" if row["message"] else ""),
            number(row["calls"]),
            span(row["first_at"], row["last_at"]),
            "\n".join(row["request_ids"]) or "–",
        )
        for row in document["codes"]
    ]
    columns = ("code", "meaning", "calls", "from – to (UTC)", "request ids")
    return Table("Error answers of TikTok", columns, rows, frozenset({2}))


def episodes(document: JsonObject) -> Table:
    """When nothing was sent."""
    rows = [
        (moment(one["since"]), moment(one["until"]), duration(one["seconds"]), one["reason"] or "–")
        for one in document["gate"]["episodes"]
    ]
    note = f"{duration(document['gate']['shut_seconds'])} in all, probes included."
    columns = ("from (UTC)", "to (UTC)", "took", "why")
    return Table("When the gate was not closed", columns, rows, frozenset({2}), note=note)


def timeline(document: JsonObject) -> Table:
    """What happened and what was done."""
    rows = [(span(one["at"], one["until"]), one["text"]) for one in document["timeline"]]
    return Table("Timeline", ("time (UTC)", "what happened"), rows)


def notes(document: JsonObject) -> Iterator[str]:
    """What a careful reader wants to know about these figures."""
    yield (
        "Counts of events come from the relay's books and are exact. Items, delays and codes are counted by each relay"
        f" process; one that is killed takes up to {duration(document['every_seconds'])} of them along."
    )
    if document["entries"]["in_doubt"]["overlap"] or document["entries"]["in_doubt"]["ambiguous"]:
        yield "What is in doubt is kept: sending it again could count a conversion twice, so a person decides."
    for gap in document["missing"]:
        yield (
            f"No samples from {moment(gap['since'])} to {moment(gap['until'])} UTC (Redis or the relay was away);"
            " the next sample holds the sum of that time."
        )
    if unaccounted := document["entries"]["unaccounted"]:
        yield f"{number(unaccounted)} entries are not accounted for: the store lost data, or this is a bug."
    yield f"Values are what TikTok was told with each item. Late means more than a minute. As of {as_of(document)}."
