"""Golden lines against the library: what to read, how to compare."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from relay.core.javascript.numbers import double, for_json, text_of
from relay.core.mapping import (
    UNDEFINED,
    MappingError,
    Rejected,
    Request,
    TriggerError,
    compile_mapping,
    compile_subscription,
    compile_trigger,
    load_presets,
)
from relay.core.mapping.values import Function

DATA = Path(__file__).resolve().parents[2] / "data"
NOW_MS = 1_718_454_896_789  # the clock of the golden files
NOW = NOW_MS // 1000
SETTINGS = {
    "tiktok-conversions": {"accessToken": "test-token", "pixelCode": "PIXEL123"},
    "tiktok-app-events": {"accessToken": "test-token", "appID": "APP123"},
    "tiktok-offline-conversions": {"accessToken": "test-token", "eventSetID": "OFFLINE123"},
}
Json = dict[str, Any]


def lines(path: Path) -> Iterator[Json]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield json.loads(line)


def exceptions(name: str) -> set[str]:
    """Ids of lines that are not followed, listed with their reasons in tests/data/golden_exceptions.json."""
    listed = json.loads((DATA / "golden_exceptions.json").read_text("utf-8"))
    return {found for group in listed if group["file"] == name for found in group["ids"]}


def plain(value: Any) -> Any:
    """Whole floats as ints, infinities, functions and undefined elements in the spelling of the golden files."""
    if value is UNDEFINED:
        return {"$undefined": True}
    if isinstance(value, Function):
        return {"$function": value.name}
    if type(value) is dict:
        return {key: plain(member) for key, member in value.items()}
    if type(value) is list:
        return [plain(item) for item in value]
    if type(value) in {int, float}:
        return for_json(value) if math.isfinite(double(value)) else {"$number": text_of(value)}
    return value


def text(value: Any) -> str:
    """For comparison: booleans differ from numbers, key order counts."""
    return json.dumps(plain(value))


def body_of(line: Json) -> str:
    return text({key: value for key, value in line["requests"][0]["json"].items() if key != "partner_name"})


def preset_runs(slug: str) -> dict[str, Callable[[Any, int], Request | Rejected | None]]:
    return {preset["name"]: compile_subscription(slug, SETTINGS[slug], preset) for preset in load_presets(slug)}


def destination_answer(line: Json, answers: dict[str, Request | Rejected]) -> bool:
    """Whether the presets' answers to an event are those of a line."""
    if line["preset"] is None:
        return not answers
    answer = answers.get(line["preset"])
    if line["error"] is None:
        return isinstance(answer, Request) and text(answer.body) == body_of(line)
    return isinstance(answer, Rejected) and same_refusal(answer.message, line["error"])


def same_refusal(message: str, wanted: str) -> bool:
    """Messages that start with Cannot are those of a JavaScript engine, which differ from build to build."""
    return message == wanted or (wanted.startswith("Cannot ") and message.startswith("Cannot "))


def directive_answer(line: Json) -> bool:
    try:
        found = compile_mapping(line["mapping"])(line.get("input", UNDEFINED), NOW_MS)
    except MappingError as problem:
        if line.get("error_kind") == "engine":
            return True
        return "\n".join(problem.errors) == line.get("error") and problem.errors == line.get("errors", problem.errors)
    if "error" in line:
        return False
    return text(found) == text(line["output"]) if "output" in line else found is UNDEFINED


def trigger_answer(line: Json) -> bool:
    try:
        trigger = compile_trigger(line["fql"])
    except TriggerError:
        return bool(line["parse_error"])
    try:
        matched = trigger(line["event"])
    except TriggerError:
        return bool(line.get("runtime_error"))
    return not line["parse_error"] and not line.get("runtime_error") and matched is line["match"]


def custom_answer(line: Json) -> bool:
    run = compile_subscription(line["destination"], line["settings"], line["subscription"])
    answer = run(line["input"], NOW)
    if line["outcome"] == "sent":
        return isinstance(answer, Request) and text(answer.body) == body_of(line)
    if line["outcome"] == "rejected":
        return isinstance(answer, Rejected) and (line["error_kind"] == "engine" or answer.message == line["error"])
    return answer is None
