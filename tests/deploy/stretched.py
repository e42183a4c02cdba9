"""What Prometheus would have fired during a drill, had the drill lasted as long as what it plays.

A drill squeezes minutes into seconds, and alert rules count minutes, so the drill's time is stretched before the rules
see it: one second of drill becomes ``stretch`` seconds for Prometheus. Stretched are the moments of the scrapes and
every gauge the rules read that is itself a duration (ages, forecasts). Counts stay what they were: it is the same
trouble, only slower, with a proportionally lower rate of events. Thresholds and ``for`` of the rules stay as deployed.
A scrape that failed is what Prometheus makes of it: ``up`` is 0 and everything else is stale. After the last scrape
half an hour of stillness follows, so that a rule that fires late is seen as well.

The engine is ``promtool test rules``: its series are the scrapes, and one expectation asks which alerts ever fired.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson
import yaml
from prometheus_client.parser import text_string_to_metric_families

STEP_S = 15
"""Between two samples that Prometheus sees; a scrape stands for all moments until the next."""
STILL_S = 1_800
FIRED = 'count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[7d]))'
SPELLED = {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}
Page = Mapping[str, float]


def fired(scrapes: Path, stretch: float, rules: Path, folder: Path) -> set[str]:
    """Names of the alerts that fired at some time. ``scrapes``: what ``relay drill --metrics`` kept."""
    rows = [orjson.loads(line) for line in scrapes.read_bytes().splitlines()]
    names = set(re.findall(r"relay_\w+", rules.read_text(encoding="utf-8")))
    ticks = on_grid([(row["at"] * stretch, page_of(row["page"], names, stretch)) for row in rows])
    series = series_of(ticks)
    end = len(ticks) * STEP_S
    expectation = {"expr": FIRED, "eval_time": f"{end}s", "exp_samples": []}
    test = {"interval": f"{STEP_S}s", "input_series": series, "promql_expr_test": [expectation]}
    document = {"rule_files": [str(rules)], "evaluation_interval": "30s", "tests": [test]}
    file = folder / f"{scrapes.stem}_test.yml"
    file.write_text(yaml.safe_dump(document, width=10**9), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    found = set(re.findall(r'alertname="(\w+)"', said))
    assert bool(found) == bool(done.returncode), said  # a failure that names no alert is a mistake in here
    return found


def page_of(text: str | None, names: set[str], stretch: float) -> Page | None:
    """Series → value of what the rules read; None for a scrape that failed."""
    if text is None:
        return None
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    page = {}
    for sample in samples:
        if sample.name in names:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            value = sample.value * stretch if sample.name.endswith("_seconds") else sample.value
            page[f'{sample.name}{{job="relay",instance="drill",{labels}}}'] = value
    return page


def on_grid(scrapes: Sequence[tuple[float, Page | None]]) -> list[Page | None]:
    """At each step the latest scrape before it."""
    ticks: list[Page | None] = []
    for (at, page), (until, _) in zip(scrapes, [*scrapes[1:], (scrapes[-1][0] + STILL_S, None)], strict=True):
        while len(ticks) * STEP_S < until and until > at:
            ticks.append(page)
    return ticks


def series_of(ticks: Sequence[Page | None]) -> list[dict[str, Any]]:
    """In promtool's notation, equal neighbours folded: ``5x3`` is four times five."""
    names = sorted({name for page in ticks if page for name in page})
    shown = {'up{job="relay",instance="drill"}': [0 if page is None else 1 for page in ticks]}
    listed = {name: [None if page is None else page.get(name) for page in ticks] for name in names}
    return [{"series": name, "values": folded(values)} for name, values in (shown | listed).items()]


def folded(values: Iterable[float | None]) -> str:
    """``None`` is stale: nobody said anything."""
    words = []
    for word, run in groupby("stale" if value is None else f"{value:.17g}" for value in values):
        times = len(list(run))
        words += [f"{word}x{times - 1}"] if word[-1].isdigit() else [SPELLED.get(word, word)] * times
    return " ".join(words)
