"""What TikTok answers, and in which order it looks: TikTok sheet section 10, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from relay.simulator.answers import Envelope
from relay.simulator.control import PARTNERS, Control, updated
from relay.simulator.outage import Page, Silence
from relay.simulator.platform import Answer, Moment, Platform

NOW = 1_718_454_896
ANY_TOKEN = "token"
HASHED = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"


def platform(**switches: Any) -> Platform:
    return Platform(updated(Control(), switches), steady=0.0)


def item(event_id: Any = "1", **more: Any) -> dict[str, Any]:
    return {"event": "Purchase", "event_time": NOW, "event_id": event_id, **more}


def call(*items: Any, **more: Any) -> dict[str, Any]:
    return {"event_source": "web", "event_source_id": "PIXEL", "data": list(items), **more}


def post(to: Platform, body: Any, token: str | None = ANY_TOKEN, at: float = 0.0) -> Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return to.track(token, raw, Moment(NOW + at, at))


def code(answer: Answer) -> int:
    assert isinstance(answer, Envelope)
    return answer.code


def message(answer: Answer) -> str:
    assert isinstance(answer, Envelope)
    return answer.message


def test_a_good_call_is_stored() -> None:
    tiktok = platform()
    assert post(tiktok, call(item("1"), item("2"))) == Envelope(0)
    assert tiktok.summary() == {
        "unique": 2,
        "duplicate": 0,
        "merged": 0,
        "doubled": 0,
        "without_id": 0,
        "test_events": 0,
        "forgotten": 0,
        "requests": 1,
        "by_code": {"0": 1},
    }


def test_a_duplicate_still_answers_0() -> None:
    tiktok = platform()
    assert [code(post(tiktok, call(item()))) for _ in range(3)] == [0, 0, 0]
    assert (tiktok.summary()["unique"], tiktok.summary()["duplicate"]) == (1, 2)


def test_the_clock_offset_jumps_over_the_window() -> None:
    tiktok = platform()
    post(tiktok, call(item()))
    tiktok.change({"clock_offset_s": 49 * 3600}, 0.0)
    post(tiktok, call(item()))
    assert tiktok.summary()["doubled"] == 1


def test_dedupe_can_be_switched_off_as_a_negative_control() -> None:
    tiktok = platform(dedupe=False)
    post(tiktok, call(item(), item()))
    assert tiktok.summary()["doubled"] == 1


@pytest.mark.parametrize(
    ("token", "switches", "expected"),
    [
        (None, {}, 40104),
        ("", {}, 40104),
        ("t", {"token_state": "missing"}, 40104),
        ("Bearer t", {}, 40105),
        ("t", {"token_state": "revoked"}, 40105),
        ("t", {"tokens": ["other"]}, 40105),
        ("t", {"tokens": ["t"]}, 0),
        ("t", {"token_state": "expired"}, 40102),
        ("t", {"token_state": "no_permission"}, 40001),
        ("t", {"permissions": {"t": ["ELSE"]}}, 40001),
        ("t", {"permissions": {"t": ["PIXEL"]}}, 0),
        ("t", {"permissions": {"u": []}}, 0),
    ],
)
def test_tokens(token: str | None, switches: dict[str, Any], expected: int) -> None:
    assert code(post(platform(**switches), call(item()), token)) == expected


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        ([], "not a valid JSON object"),
        (call(item(), event_source="shop"), "event_source: must be web, app or offline."),
        (call(item(), event_source=None), "event_source: must be web, app or offline."),
        (call(item(), event_source_id=7), "event_source_id: not a valid string."),
        (call(item(), event_source_id=""), "field(s): event_source_id."),
        ({"event_source": "web", "data": [item()]}, "event_source_id"),
        (call(item(), test_event_code=1), "test_event_code: not a valid string."),
        (call(item(), partner_name="Me"), "partner_name: not a registered partner."),
        ({"event_source": "web", "event_source_id": "P"}, "field(s): data."),
        (call(data={}), "data: not a valid list."),
        (call(), "data: shorter than the minimum length 1."),
        (call(data=[item(str(n)) for n in range(1001)]), "data: longer than the maximum length 1000."),
    ],
)
def test_calls_refused_as_a_whole(body: Any, text: str) -> None:
    tiktok = platform()
    answer = post(tiktok, body)
    assert code(answer) == 40002
    assert text in message(answer)
    assert tiktok.summary()["unique"] == 0


def test_what_a_call_may_be() -> None:
    assert code(post(platform(), call(data=[item(str(n)) for n in range(1000)]))) == 0
    assert code(post(platform(empty_data="0"), call())) == 0
    assert all(code(post(platform(), call(item(), partner_name=name))) == 0 for name in PARTNERS)
    assert code(post(platform(partners=["Me"]), call(item(), partner_name="Me"))) == 0
    assert code(post(platform(), call(item(), unknown={"key": 1}))) == 0


BAD_ITEMS = [
    ("text", "data[1]: not a valid object."),
    ({"event_time": NOW}, "field(s): data[1].event."),
    (item(event=""), "data[1].event: not a valid string."),
    (item(event=5), "data[1].event: not a valid string."),
    (item(7), "data[1].event_id: not a valid string."),
    ({"event": "Purchase"}, "field(s): data[1].event_time."),
    (item(event_time=float(NOW)), "data[1].event_time: not a valid integer."),
    (item(event_time=True), "data[1].event_time: not a valid integer."),
    (item(event_time="2024-06-15T12:34:56Z"), "data[1].event_time: not a valid integer."),
    (item(event_time=NOW * 1000), "data[1].event_time: must be Unix seconds."),
    (item(user=[]), "data[1].user: not a valid object."),
    (item(properties="x"), "data[1].properties: not a valid object."),
    (item(page=1), "data[1].page: not a valid object."),
    (item(user={"email": 1}), "data[1].user.email: not a valid string."),
    (item(user={"phone": [None]}), "data[1].user.phone: not a valid string."),
    (item(user={"external_id": {}}), "data[1].user.external_id: not a valid string."),
    (item(properties={"value": "9.5"}), "data[1].properties.value: not a valid number."),
    (item(properties={"value": True}), "data[1].properties.value: not a valid number."),
    (item(properties={"contents": {"content_id": "a"}}), "data[1].properties.contents: not a valid list."),
    (item(properties={"contents": ["a"]}), "data[1].properties.contents.0: not a valid object."),
    (
        item(properties={"contents": [{"content_id": "a"}, {"content_id": 1}]}),
        "data[1].properties.contents.1.content_id: not a valid string.",
    ),
    (item(properties={"contents": [{"price": "1"}]}), "data[1].properties.contents.0.price: not a valid number."),
]


@pytest.mark.parametrize(("bad", "text"), BAD_ITEMS)
def test_one_bad_item_refuses_the_whole_call(bad: Any, text: str) -> None:
    tiktok = platform()
    answer = post(tiktok, call(item("a"), bad, item("c")))
    assert code(answer) == 40002
    assert message(answer).endswith(text)
    assert tiktok.summary()["unique"] == 0


@pytest.mark.parametrize(("bad", "text"), BAD_ITEMS)
def test_or_only_itself(bad: Any, text: str) -> None:
    tiktok = platform(batch_mode="partial_20001")
    answer = post(tiktok, call(item("a"), bad, item("c")))
    assert isinstance(answer, Envelope)
    assert answer.code == 20001
    [failed] = answer.data["failed_events"]
    assert failed["order_in_batch"] == 1
    assert failed["reason"].endswith(text)
    assert tiktok.summary()["unique"] == 2


def test_partial_with_nothing_left_is_40000() -> None:
    tiktok = platform(batch_mode="partial_20001")
    answer = post(tiktok, call(item(1), item(2)))
    assert isinstance(answer, Envelope)
    assert (answer.code, len(answer.data["failed_events"])) == (40000, 2)
    assert tiktok.summary()["unique"] == 0


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("data[2]", "Invalid value for data[2].event_id: not a valid string."),
        ("data.2", "Invalid value for data.2.event_id: not a valid string."),
        ("index 2", "Invalid value for event_id: not a valid string at index 2."),
        ("none", "Invalid value for event_id: not a valid string."),
        ("vague", "Invalid parameter."),
    ],
)
def test_ways_to_name_the_bad_item(style: str, text: str) -> None:
    assert message(post(platform(index_style=style), call(item(), item(), item(5), item(6)))) == text


def test_unknown_keys_and_absent_optional_parts_are_fine() -> None:
    good = [
        {"event": "MyOwnName", "event_time": NOW},
        item(None, user=None, properties=None, page=None, anything=[1]),
        item(user={}, properties={"value": 1.5, "contents": [], "mine": {}}, page={}),
        item(user={"email": [], "phone": "x", "external_id": ["y"]}),
        item(properties={"contents": [{"content_id": "a", "price": 0}, {}]}),
    ]
    assert code(post(platform(), call(*good))) == 0


def test_switched_item_checks() -> None:
    old, ahead, millis = item(event_time=NOW - 100), item(event_time=NOW + 100), item(event_time=NOW * 1000)
    assert code(post(platform(max_age=99), call(old))) == 40002
    assert code(post(platform(max_age=100), call(old))) == 0
    assert code(post(platform(max_age=100, clock_offset_s=1), call(old))) == 40002
    assert code(post(platform(max_future=99), call(ahead))) == 40002
    assert code(post(platform(max_future=100), call(ahead))) == 0
    assert code(post(platform(event_time_millis="accept"), call(millis))) == 0
    assert code(post(platform(page_required=True), call(item()))) == 40002
    assert code(post(platform(page_required=True), call(item(page={"url": "https://example.com"})))) == 0
    assert code(post(platform(refuse_ids=["b"]), call(item("a"), item("b")))) == 40002
    assert code(post(platform(refuse_ids=["b"]), call(item("a")))) == 0


def test_each_source_asks_for_its_own() -> None:
    app, crm, offline = ({"event_source": name} for name in ("app", "crm", "offline"))
    assert code(post(platform(), call(item(), **app))) == 40002
    assert code(post(platform(), call(item(app={"app_id": "1"}), **app))) == 0
    assert code(post(platform(), call(item(), **crm))) == 40002
    assert code(post(platform(), call(item(lead={"lead_id": "1"}), **crm))) == 0
    assert code(post(platform(crm="refuse"), call(item(lead={"lead_id": "1"}), **crm))) == 40002
    assert code(post(platform(), call(item(event="MyOwn"), **offline))) == 40002
    assert code(post(platform(offline_names="any"), call(item(event="MyOwn"), **offline))) == 0
    assert code(post(platform(), call(item(), **offline))) == 0


@pytest.mark.parametrize("name", ["email", "phone", "external_id"])
def test_unhashed_people(name: str) -> None:
    raw, hashed = item("raw", user={name: ["jane"]}), item("hashed", user={name: HASHED})
    assert code(post(platform(), call(raw, hashed))) == 0
    assert code(post(platform(pii="40062"), call(hashed, raw))) == 40062
    tiktok = platform(pii="20001")
    answer = post(tiktok, call(hashed, raw, item("c", user={name: HASHED.upper()})))
    assert isinstance(answer, Envelope)
    assert [failed["order_in_batch"] for failed in answer.data["failed_events"]] == [1, 2]
    assert (answer.code, tiktok.summary()["unique"]) == (20001, 1)


def test_test_events_are_left_out_unless_told_otherwise() -> None:
    for switch, unique, apart in (("left_out", 0, 1), ("counted", 1, 0)):
        tiktok = platform(test_events=switch)
        assert code(post(tiktok, call(item(), test_event_code="TEST1"))) == 0
        assert (tiktok.summary()["unique"], tiktok.summary()["test_events"]) == (unique, apart)


def test_limits_by_token_and_by_pixel() -> None:
    tiktok = platform(limits={"per_second": 2})
    assert [code(post(tiktok, call(item()))) for _ in range(3)] == [0, 0, 40100]
    assert code(post(tiktok, call(item()), "another")) == 0
    tiktok.change({"limits": {"per_second": 0, "per_pixel": 1}}, 0.0)
    assert [code(post(tiktok, call(item()))) for _ in range(2)] == [0, 40132]


def test_the_order_of_the_checks() -> None:
    """Everything is wrong; mended one by one, the next one speaks."""
    body: dict[str, Any] = call(item(5), partner_name="Me", event_source="shop")
    tiktok = platform(outage="50000", token_state="revoked", limits={"per_second": 1}, permissions={"token": []})
    seen = [code(post(tiktok, body))]
    for mended in ({"outage": "none"}, {"token_state": "valid"}):
        tiktok.change(mended, 0.0)
        seen.append(code(post(tiktok, body)))
    seen.append(code(post(tiktok, body)))  # the second call in this second
    tiktok.change({"limits": {"per_second": 0}}, 0.0)
    seen.append(code(post(tiktok, b"{")))
    texts = [message(post(tiktok, body))]
    texts.append(message(post(tiktok, body := {**body, "event_source": "web"})))
    tiktok.change({"permissions": {}}, 0.0)
    texts.append(message(post(tiktok, body)))
    texts.append(message(post(tiktok, body := {**body, "partner_name": None})))
    assert seen == [50000, 40105, 40002, 40100, 40002]
    for text, part in zip(texts, ["event_source", "No permission", "partner_name", "event_id"], strict=True):
        assert part in text


def test_a_body_that_is_too_large() -> None:
    answer = post(platform(max_body=10), call(item()))
    assert isinstance(answer, Page)
    assert answer.status == 413


@pytest.mark.parametrize(
    ("kind", "label", "stored"),
    [
        ("502", "http_502", 0),
        ("non_json", "http_200", 0),
        ("hang", "hang", 0),
        ("reset", "reset", 0),
        ("lost", "lost", 1),
        ("lost_hang", "lost_hang", 1),
        ("51010", "51010", 0),
    ],
)
def test_outages_are_counted_and_only_lost_answers_stored(kind: str, label: str, stored: int) -> None:
    tiktok = platform(outage=kind)
    answer = post(tiktok, call(item()))
    assert tiktok.summary()["by_code"] == {label: 1}
    assert tiktok.summary()["unique"] == stored
    assert not isinstance(answer, Envelope) or answer.code == 51010
    assert isinstance(answer, Silence) == (kind in {"hang", "reset", "lost", "lost_hang"})


def test_a_lost_answer_still_obeys_the_checks() -> None:
    tiktok = platform(outage="lost", token_state="revoked")
    post(tiktok, call(item()))
    assert tiktok.summary()["unique"] == 0


def test_a_scheduled_outage_begins_when_it_was_set() -> None:
    tiktok = platform()
    tiktok.change({"outage": {"kind": "50000", "after_s": 5, "for_s": 10}}, 100.0)
    assert [code(post(tiktok, call(item()), at=at)) for at in (104, 105, 114, 115)] == [0, 50000, 50000, 0]


def test_forgetting_begins_afresh() -> None:
    tiktok = platform()
    post(tiktok, call(item()))
    tiktok.forget()
    assert (tiktok.summary()["unique"], tiktok.summary()["requests"]) == (0, 0)
    post(tiktok, call(item()))
    assert (tiktok.summary()["unique"], tiktok.summary()["duplicate"]) == (1, 0)


@pytest.mark.parametrize("name", ["tiktok-conversions", "tiktok-app-events", "tiktok-offline-conversions"])
def test_what_segment_sends_is_accepted(shared: Path, name: str) -> None:
    """Except what no TikTok could read: an empty ``event_time``, and an app without an id."""
    tiktok = platform(limits={"per_second": 0})
    with (shared / "golden" / f"{name}.jsonl").open(encoding="utf-8", newline="\n") as lines:
        bodies = [request["json"] for line in lines for request in json.loads(line)["requests"]]
    refused = [body["data"][0] for body in bodies if code(post(tiktok, json.dumps(body).encode()))]
    assert tiktok.summary()["unique"] > 400
    assert all(sent["event_time"] is None or not sent["app"].get("app_id") for sent in refused)
