from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relay.cli import main
from relay.core.mapping.presets import SLUGS, load_presets
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


MINE: dict[str, Any] = {
    "name": "Complete Payment",
    "trigger": 'event = "Order Completed"',
    "settings": json.dumps(
        {
            "event_source": "web",
            "event": "Purchase",
            "event_id": {"@path": "$.properties.order_id"},
            "external_id": {"@path": "$.anonymousId"},
            "currency": {"@path": "$.properties.currency"},
            "description": {"@template": "{{properties.currency}} order"},
            "contents": {"@arrayPath": ["$.properties.products", {"content_id": {"@path": "$.sku"}}]},
        }
    ),
}


def differences(runner: CliRunner, tmp_path: Path, mapping: object, *events: object, preset: str = SLUGS[0]) -> str:
    file = tmp_path / "mapping.json"
    file.write_text(json.dumps(mapping), "utf-8")
    stdin = "\n".join(map(json.dumps, events))
    result = preview(runner, "-", "--mapping", str(file), "--preset", preset, "--now", NOW, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_page_says_how_a_mapping_differs_from_the_preset(runner: CliRunner, tmp_path: Path) -> None:
    event = {
        **ORDER,
        "userId": "Jane Doe",
        "anonymousId": "a",
        "properties": {"value": 5, "currency": "EUR", "order_id": "O-1", "products": [{"sku": "S", "price": 5}]},
    }
    page = differences(runner, tmp_path, {"data": {"subscriptions": [MINE]}}, event)
    assert page.split("compared with the preset:\n")[1].split("\n\n")[0].splitlines() == [
        "      Complete Payment:",
        "         changed  event: CompletePayment → Purchase",
        "         changed  event_id: m1 → O-1",
        "         changed  user.external_id[0]",
        "         removed  properties.contents[0].price: 5",
        "         removed  properties.content_type: product",
        "         removed  properties.value: 5",
        "         removed  properties.order_id: O-1",
        "         added    properties.contents[0].content_id: S",
        "         added    properties.description: EUR order",
    ]


def test_the_same_mapping_is_said_to_be_the_same(runner: CliRunner, tmp_path: Path) -> None:
    for slug in SLUGS:
        page = differences(runner, tmp_path, load_presets(slug), {**ORDER, "userId": "u"}, preset=slug)
        assert "same request" in page or "neither can be sent" in page
        assert "changed" not in page


def test_subscriptions_that_only_one_side_has_are_named(runner: CliRunner, tmp_path: Path) -> None:
    mine = [
        {"name": "All", "trigger": 'type = "track"', "settings": {"event": "Lead"}},
        {"name": "Paid", "trigger": 'event = "Order Completed"', "settings": {"event": "CompletePayment"}},
        {"name": "Off", "enabled": False},
    ]
    page = differences(runner, tmp_path, mine, ORDER, {"type": "page"}, {"type": "alias"})
    for line in (
        "      All: no preset does this\n",
        "      Paid, beside the preset Complete Payment:\n",
        "         removed  event_id: m1\n",
        "      Page View: only the preset does this (PageView)\n",
        "3. alias\n   no subscription wants it: nothing is sent\n\n",
    ):
        assert line in page


def test_what_cannot_be_sent_is_compared_as_well(runner: CliRunner, tmp_path: Path) -> None:
    mine = [{"name": "Paid", "trigger": 'event = "Order Completed"', "settings": {"event": "CompletePayment"}}]
    page = differences(runner, tmp_path, mine, {**ORDER, "properties": {"value": "much"}})
    assert "the preset's cannot be sent: Value must be a number but it was a string." in page
    mine[0]["settings"] = {"event": "E", "value": "much"}
    page = differences(runner, tmp_path, mine, ORDER)
    assert "Paid, beside the preset Complete Payment: the preset's could be sent" in page


def test_the_stable_form_knows_no_differences(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "mapping.json").write_text(json.dumps(MINE), "utf-8")
    result = preview(runner, "-", "--json", "--mapping", str(tmp_path / "mapping.json"), stdin=json.dumps(ORDER))
    (document,) = documents(result)
    assert set(document) == {"index", "results"}
    assert set(document["results"][0]) == {"subscription", "request", "error", "repairs"}


def test_a_pipe_is_read_as_well(runner: CliRunner, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, json.dumps(MINE).encode())
    os.close(writing)
    result = preview(runner, "-", "--mapping", f"/dev/fd/{reading}", stdin=json.dumps(ORDER))
    os.close(reading)
    assert "TikTok gets Purchase" in result.stdout


def test_every_problem_of_a_mapping_is_a_line(runner: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps([{**MINE, "settings": "{"}, {**MINE, "settings": {"a": {"@b": 1}}}, 7]))
    result = preview(runner, "-", "--mapping", "m.json", stdin="")
    assert result.exit_code == 2
    assert [line.removeprefix("Error: ").partition(" ")[0] for line in result.stderr.splitlines()] == ["m.json:"] * 3


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
