"""Segment's own answers, line by line: a slice that is always here, and all of it where the golden folder is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from relay.core.mapping.presets import SLUGS
from tests.core.mapping.golden import (
    DATA,
    NOW,
    Json,
    custom_answer,
    destination_answer,
    directive_answer,
    exceptions,
    lines,
    preset_runs,
    trigger_answer,
)

ANSWERS: dict[str, Callable[[Json], bool]] = {
    "directives": directive_answer,
    "fql": trigger_answer,
    "custom-mappings": custom_answer,
}


def differing(path: Path, slug: str) -> tuple[int, list[Json]]:
    runs = preset_runs(slug)
    found, count = [], 0
    for line in lines(path):
        if line["destination"] == slug:
            count += 1
            answers = {name: answer for name, run in runs.items() if (answer := run(line["input"], NOW)) is not None}
            if not destination_answer(line, answers):
                found.append(line)
    return count, found


@pytest.mark.parametrize("slug", SLUGS)
def test_presets_slice(slug: str) -> None:
    count, found = differing(DATA / "golden_destinations.jsonl", slug)
    assert count > 10
    assert not found


@pytest.mark.parametrize("slug", SLUGS)
def test_presets(shared: Path, slug: str) -> None:
    count, found = differing(shared / "golden" / f"{slug}.jsonl", slug)
    assert count > 1000
    assert not found


@pytest.mark.parametrize("name", ANSWERS)
def test_language_slice(name: str) -> None:
    found = [line["id"] for line in lines(DATA / f"golden_{name.replace('-', '_')}.jsonl") if not ANSWERS[name](line)]
    assert not found


@pytest.mark.parametrize("name", ANSWERS)
def test_language(shared: Path, name: str) -> None:
    """Exactly the listed lines differ, so that the list never outlives its reasons."""
    found = {line["id"] for line in lines(shared / "golden" / f"{name}.jsonl") if not ANSWERS[name](line)}
    assert found == exceptions(name)
