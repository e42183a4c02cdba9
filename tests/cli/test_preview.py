from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.core.mapping.presets import SLUGS
from tests.core.mapping.golden import DATA, SETTINGS, body_of, lines, same_refusal, text

NOW = "2024-06-15T12:34:56Z"
ORDER = {"type": "track", "event": "Order Completed", "messageId": "m1", "properties": {"value": 5, "currency": "EUR"}}


def preview(runner: CliRunner, *arguments: str, stdin: str | None = None) -> Result:
    return runner.invoke(main, ["preview", *arguments], input=stdin)


def documents(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def differing(runner: CliRunner, tmp_path: Path, slug: str, golden: list[dict[str, Any]]) -> list[dict[str, Any]]:
    file = tmp_path / "events.jsonl"
    file.write_text("".join(json.dumps(line["input"]) + "\n" for line in golden), "utf-8")
    source = next(value for name, value in SETTINGS[slug].items() if name != "accessToken")
    arguments = [str(file), "--json", "--no-repair", "--preset", slug, "--source-id", source, "--now", NOW]
    found = documents(preview(runner, *arguments))
    assert [document["index"] for document in found] == list(range(len(golden)))
    return [line for line, document in zip(golden, found, strict=True) if not agrees(line, document["results"])]


def agrees(line: dict[str, Any], results: list[dict[str, Any]]) -> bool:
    if line["preset"] is None:
        return not results
    (result,) = (result for result in results if result["subscription"] == line["preset"])
    if line["error"] is not None:
        return result["request"] is None and same_refusal(result["error"], line["error"])
    return result["error"] is None and result["repairs"] == [] and text(result["request"]) == body_of(line)


@pytest.mark.parametrize("slug", SLUGS)
def test_golden_slice(runner: CliRunner, tmp_path: Path, slug: str) -> None:
    golden = [line for line in lines(DATA / "golden_destinations.jsonl") if line["destination"] == slug]
    assert not differing(runner, tmp_path, slug, golden)


@pytest.mark.parametrize("slug", SLUGS)
def test_goldens(runner: CliRunner, tmp_path: Path, shared: Path, slug: str) -> None:
    assert not differing(runner, tmp_path, slug, list(lines(shared / "golden" / f"{slug}.jsonl")))


@pytest.mark.parametrize("content", [json.dumps(ORDER), json.dumps([ORDER]), json.dumps(ORDER, indent=2)])
def test_lines_arrays_and_single_objects(runner: CliRunner, content: str) -> None:
    (document,) = documents(preview(runner, "-", "--json", "--now", NOW, stdin=content))
    (result,) = document["results"]
    assert result["subscription"] == "Complete Payment"
    assert result["request"]["event_source_id"] == "PREVIEW"
    assert result["request"]["data"][0]["event_time"] == 1_718_454_896
    assert "partner_name" not in result["request"]


def test_with_repair_an_unsendable_item_is_an_error_and_without_it_a_request(runner: CliRunner) -> None:
    event = json.dumps({**ORDER, "timestamp": "yesterday"})
    (repaired,) = documents(preview(runner, "-", "--json", stdin=event))[0]["results"]
    assert repaired["request"] is None
    assert "event_time" in repaired["error"]
    result = preview(runner, "-", "--json", "--no-repair", stdin=event)
    (segments,) = documents(result)[0]["results"]
    assert segments["error"] is None
    assert segments["request"]["data"][0]["event_time"] is None
    assert result.stderr.startswith("1 of these requests")


def test_a_mapping_of_ones_own(runner: CliRunner, tmp_path: Path) -> None:
    mapping = {"event": "Lead", "test_event_code": "T1", "query": {"@template": "{{properties.currency}}!"}}
    file = tmp_path / "mapping.json"
    file.write_text(json.dumps([{"name": "mine", "trigger": 'type = "track"', "settings": mapping}]), "utf-8")
    for repair in ([], ["--no-repair"]):
        found = documents(preview(runner, "-", "--json", "--mapping", str(file), *repair, stdin=json.dumps(ORDER)))
        (result,) = found[0]["results"]
        assert result["subscription"] == "mine"
        assert result["request"]["test_event_code"] == "T1"
        assert result["request"]["data"][0]["properties"] == {"contents": [], "query": "EUR!"}


def test_the_page_for_people(runner: CliRunner) -> None:
    events = [
        {
            **ORDER,
            "timestamp": "2024-01-02T03:04:05.678Z",
            "userId": "u",
            "context": {"page": {"url": "https://x.example/"}},
        },
        {**ORDER, "properties": {"value": "much", "products": []}},
        {"type": "track", "event": "Odd \u001b[31m", "userId": 5},
        {**ORDER, "timestamp": "soon"},
    ]
    result = preview(runner, "-", "--no-repair", stdin="\n".join(map(json.dumps, events)))
    assert result.exit_code == 0
    for line in (
        "1. track Order Completed",
        "Complete Payment: TikTok gets CompletePayment at 2024-01-02 03:04:05 UTC",
        "deduplicated by: m1",
        "matched to a person by: user id (hashed)",
        "value: 5 EUR",
        "page: https://x.example/",
        "Complete Payment: cannot be sent: Value must be a number but it was a string.",
        r"3. track Odd \x1b[31m",
        "no subscription wants it: nothing is sent",
        "warning: Segment sends this, but TikTok cannot take it",
        "4 events: 2 items for TikTok, 1 that cannot be sent, 1 events that no subscription wants",
    ):
        assert line in result.stdout


def test_the_examples_can_be_read_by_people(runner: CliRunner, shared: Path) -> None:
    result = preview(runner, str(shared / "data" / "segment_examples.jsonl"))
    assert result.exit_code == 0
    assert "119 events: " in result.stdout
    assert "TikTok gets CompletePayment" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.jsonl"], 1, "nowhere.jsonl: cannot be read"),
        (["-", "--now", "yesterday"], 2, "is no ISO 8601 time"),
        (["-", "--preset", "tiktok"], 2, "tiktok-conversions"),
        (["-", "--mapping", "nowhere.json"], 1, "nowhere.json: cannot be read"),
        (["-", "--mapping", "text.json"], 2, "text.json: not JSON"),
        (["-", "--mapping", "five.json"], 2, "five.json: needs a list of"),
        (["-", "--mapping", "wrong.json"], 2, "w: /a has an invalid directive: @bar."),
    ],
)
def test_what_is_wrong_is_said_in_one_clear_line(
    runner: CliRunner, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "text.json").write_text("mapping: yes", "utf-8")
    (tmp_path / "five.json").write_text("5", "utf-8")
    wrong = {"name": "w", "subscribe": 'type = "track"', "mapping": {"a": {"@bar": 1}}}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong), "utf-8")
    result = preview(runner, *arguments, stdin="")
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output
