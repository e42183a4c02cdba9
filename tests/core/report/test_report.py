from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.event import JsonObject
from relay.core.incident_log import DELAY_BOUNDS_S, Answers, Happening, Part
from relay.core.report import RENDERINGS
from relay.core.report.chart import chart, nice, thinned
from relay.core.report.figures import document, percentile
from relay.core.report.markdown import sparkline
from relay.core.report.words import duration, money
from tests.core.report.outages import MINUTE_MS, START_MS, Outage, january, ongoing, short

DOCUMENTS = {"january": january(), "short": short(), "ongoing": ongoing()}


class Reader(HTMLParser):
    """Checks that what is opened is closed, and remembers every tag with its attributes."""

    VOID = frozenset({"meta", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.path: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.path.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.path.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert not reader.path
    return reader


@pytest.mark.parametrize("name", DOCUMENTS)
def test_html_is_one_file_that_needs_nothing_else(name: str) -> None:
    text = RENDERINGS["html"](DOCUMENTS[name])
    reader = read(text)
    for tag, attributes in reader.tags:
        assert tag not in {"script", "link", "img", "iframe", "object", "a"}
        assert not {"src", "href", "srcset"} & set(attributes)
        assert not any(key.startswith("on") for key in attributes)
    assert "url(" not in text
    assert "@import" not in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "svg" in {tag for tag, _ in reader.tags}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_rendering_tells_the_ledger(name: str) -> None:
    told = DOCUMENTS[name]
    entries = told["entries"]
    came = entries["owed_before"] + entries["arrived"] + entries["requeued"]
    assert entries["unaccounted"] == 0
    for form in ("md", "html"):
        text = RENDERINGS[form](told)
        assert text.count(f"{came:,}") >= 2, "both sums"
        assert f"{entries['delivered']:,}" in text
        assert "No event was lost." in text
    assert orjson.loads(RENDERINGS["json"](told)) == told


def test_what_others_wrote_stays_text() -> None:
    evil = '<script>alert("x")</script>|`*_[x](y)'
    outage = Outage(3, 10, 9)
    incident, log = outage.play()
    log.append(Happening("e1", START_MS, "gate", before="closed", after="held", detail=evil))
    log.append(
        Part("e2", START_MS, 1, sold={evil: {"": (1, 0)}}, answers={evil: Answers(1, "hold", 1, 2, evil, (evil,))})
    )
    told = document(incident, log, START_MS)
    reader = read(RENDERINGS["html"](told))
    assert "script" not in {tag for tag, _ in reader.tags}
    assert evil in "".join(reader.text)
    rows = [line for line in RENDERINGS["md"](told).splitlines() if "alert" in line]
    assert len(rows) >= 3
    for row in rows:
        assert r"\|\`\*\_\[x\](y)" in row
        assert len(re.findall(r"(?<!\\)\|", row)) in {3, 4, 5, 6, 7}, "no cell more than the table has"


def test_figures_of_january() -> None:
    told = DOCUMENTS["january"]
    assert told["id"] == "tiktok-3"
    assert told["gate"]["episodes"] == [
        {
            "since": "2026-02-02T09:34:59.600Z",
            "until": "2026-02-03T07:35:00.000Z",
            "seconds": 79_200.4,
            "reason": "http_502",
        }
    ]
    assert told["missing"] == [{"since": "2026-02-02T21:14:00.000Z", "until": "2026-02-02T21:45:00.000Z"}]
    probes = [line for line in told["timeline"] if "probes failed" in line["text"]]
    assert [line["text"] for line in probes] == ["1,319 probes failed (http_502, timeout)"]
    assert sum(sample["delivered"] for sample in told["samples"]) == told["entries"]["delivered"]
    assert sum(sample["arrived"] for sample in told["samples"]) == told["entries"]["arrived"]
    items = sum(row["items"] for row in told["events"])
    assert sum(bucket["entries"] for bucket in told["delays"]["buckets"]) == told["entries"]["delivered"]
    assert 0 < items <= told["entries"]["delivered"]
    assert told["value"]["dead"] == {"expired": {"USD": 812.5}}
    usd = sum(row["value"] for row in told["events"] if row["currency"] == "USD")
    assert usd == pytest.approx(told["value"]["delivered"]["USD"])
    (code,) = [row for row in told["codes"] if row["code"] == "http_502"]
    assert len(code["request_ids"]) == 5
    assert code["request_ids"][-1].startswith("2026020209001319"), "the last one is among them"


def test_a_long_outage_is_told_briefly() -> None:
    text = RENDERINGS["html"](DOCUMENTS["january"])
    assert len(text) < 40_000
    assert len(thinned(DOCUMENTS["january"], 180)) <= 180
    assert len(RENDERINGS["md"](DOCUMENTS["january"]).splitlines()) < 110


def test_thinning_keeps_the_sums_and_the_peak() -> None:
    told = DOCUMENTS["january"]
    for most in (1, 7, 180, 10_000):
        buckets = thinned(told, most)
        assert max(one.owed for one in buckets) == max(sample["owed"] for sample in told["samples"])
        summed = sum(one.delivered_per_minute * (one.until - one.since) / 60 for one in buckets)
        assert summed == pytest.approx(told["entries"]["delivered"])


def test_an_incident_without_samples_has_no_chart_and_a_report_all_the_same() -> None:
    incident, _ = Outage(0, 10, 9).play()
    told = document(incident, [], START_MS + MINUTE_MS)
    assert chart(told) == ""
    for render in RENDERINGS.values():
        assert "tiktok-3" in render(told)
    assert told["delays"]["p50"] is None


def test_what_a_killed_process_took_along_is_said() -> None:
    incident, log = Outage(6, 100, 4).play()
    lost = next(one for one in log if isinstance(one, Part) and one.entries)
    told = document(incident, [one for one in log if one is not lost], START_MS)
    assert told["not_broken_down"] == lost.entries
    assert f"{lost.entries:,} delivered events not broken down" in RENDERINGS["md"](told)


def test_what_is_lost_or_in_doubt_is_not_hidden() -> None:
    outage = Outage(6, 100, 4, dead=((2, "ambiguous", 2), (3, "overlap", 1)))
    outage.books["shed"] = 5
    incident, log = outage.play()
    books = dict(incident.latest.books) | {"shed": 9}
    latest = incident.latest
    changed: Any = type(latest)(latest.at_ms, latest.owed, latest.value_micros, books)
    told: JsonObject = document(type(incident)(**{**_fields(incident), "latest": changed}), log, START_MS)
    text = RENDERINGS["md"](told)
    assert "3 are in doubt, 4 were lost." in text
    assert "No event was lost" not in text
    assert "lost: shed | 4" in text
    assert "not accounted for" in text, "four more endings than entries"
    assert "a person decides" in text


def test_what_was_erased_on_request_is_no_loss() -> None:
    """Somebody asked for it, during an incident as at any other time."""
    incident, log = Outage(6, 100, 4).play()
    latest = incident.latest
    books = dict(latest.books) | {"forgotten": 3, "delivered": latest.books["delivered"] - 3}
    changed: Any = type(latest)(latest.at_ms, latest.owed, latest.value_micros, books)
    told: JsonObject = document(type(incident)(**{**_fields(incident), "latest": changed}), log, START_MS)
    assert orjson.loads(RENDERINGS["json"](told))["entries"]["forgotten"] == 3
    assert told["entries"]["lost"] == {"shed": 0}
    assert told["entries"]["unaccounted"] == 0
    text = RENDERINGS["md"](told)
    assert "3 were erased on request. No event was lost." in text
    assert "| erased on request: their person is to be forgotten | 3 |" in text
    assert "- **lost:** 0" in text
    page = "".join(read(RENDERINGS["html"](told)).text)
    assert "3 were erased on request. No event was lost." in page


def _fields(incident: Any) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in incident.__dataclass_fields__}


@given(st.lists(st.floats(0, 10**6, allow_nan=False), min_size=1, max_size=300))
def test_percentiles_lie_in_the_bucket_of_the_true_one(delays: list[float]) -> None:
    counts = [0] * (len(DELAY_BOUNDS_S) + 1)
    for delay in delays:
        counts[sum(bound < delay for bound in DELAY_BOUNDS_S)] += 1
    for share in (0.5, 0.95):
        true = sorted(delays)[max(0, -(-int(share * 100) * len(delays) // 100) - 1)]
        found = percentile(counts, max(delays), share)
        assert found is not None
        low = max((bound for bound in DELAY_BOUNDS_S if bound < true), default=0)
        high = min((bound for bound in DELAY_BOUNDS_S if bound >= true), default=10**7)
        assert low - 0.06 <= found <= min(high, max(delays)) + 0.06


@given(st.floats(0, 1e9))
def test_an_axis_ends_on_a_round_number_that_is_high_enough(top: float) -> None:
    assert top <= nice(top) <= max(4, 2 * top)


def test_words() -> None:
    assert [duration(s) for s in (None, 0, 0.25, 1, 9.96, 42, 60, 63, 3600, 39_628, 7500, 86_400, 277_300)] == [
        "–", "0 s", "0.2 s", "1 s", "10 s", "42 s", "1 min", "1 min 3 s", "1 h", "11 h", "2 h 5 min", "1 d", "3 d 5 h",
    ]  # fmt: skip
    assert money({"EUR": 1234.5, "": 1}) == "1,234.50 EUR, 1.00 without currency"
    assert money({}) == "–"
    assert sparkline([0, 1, 8]) == " ▂█"
