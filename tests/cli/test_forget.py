from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner

from relay.adapters.web.admin_answers import answer
from relay.cli.forget import forget
from tests.cli.ports import served

PAGE: dict[str, Any] = {
    "owed": 2,
    "dead_letters": 1,
    "archive": 0,
    "leased": 0,
    "unreadable": 0,
    "looked_at": 500,
    "total": 1000,
}
PAGE |= {"seconds": 0.5}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """An admin port that needs two calls; what it was asked."""
    heard: list[dict[str, Any]] = []

    async def reply(request: Any) -> Any:
        body = await request.json()
        heard.append(body)
        if body.get("lift"):
            return answer({"success": True, "lifted": True})
        flags = {"suppressed": body["suppress"] and not body["dry_run"], "dry_run": body["dry_run"]}
        leased = {"leased": 3, "unreadable": 1} if body["cursor"] else {}
        return answer({"success": True, **PAGE, **leased, **flags, "next": None if body["cursor"] else "owed:a:b/1-0"})

    app = web.Application()
    app.add_routes([web.post("/api/forget", reply)])
    with served(app) as port:
        monkeypatch.setenv("RELAY_ADMIN_PORT", str(port))
        monkeypatch.setenv("RELAY_ADMIN_TOKEN", "t")
        yield heard


def test_it_asks_goes_on_and_sums_up(runner: CliRunner, asked: list[dict[str, Any]]) -> None:
    refused = runner.invoke(forget, ["u1"], input="n\n")
    assert refused.exit_code == 1
    assert not asked
    result = runner.invoke(forget, ["u1", "--email", "jo@example.com"], input="y\n")
    assert result.exit_code == 0
    assert [one["cursor"] for one in asked] == ["", "owed:a:b/1-0"]
    assert asked[0] | {"cursor": ""} == {
        "user_id": "u1",
        "email": "jo@example.com",
        "anonymous_id": "",
        "suppress": True,
        "dry_run": False,
        "cursor": "",
    }
    lines = result.stdout.splitlines()
    assert "erased: 4 owed, 2 dead letters, 0 archived" in lines
    assert "3 are being sent right now: they end as forgotten when they come back" in lines
    assert "1 could not be read (damaged, or sealed with a key that is missing)" in lines
    assert any(line.startswith("searched 1,000 records in 1") and "per million" in line for line in lines)
    assert lines[-1].startswith("what comes of this person is refused from now on")
    assert "jo@" not in result.stdout
    assert "u1" not in result.stdout


def test_once_only_and_dry_and_as_json(runner: CliRunner, asked: list[dict[str, Any]]) -> None:
    result = runner.invoke(forget, ["--anonymous-id", "a1", "--no-suppress", "--yes"])
    assert "they may arrive at TikTok" in result.stdout
    assert asked[0]["suppress"] is False
    result = runner.invoke(forget, ["u1", "--dry-run", "--json"])
    document = json.loads(result.stdout)
    assert (document["owed"], document["looked_at"], document["suppressed"], document["dry_run"]) == (
        4,
        1000,
        False,
        True,
    )
    assert "would be erased" in runner.invoke(forget, ["u1", "--dry-run"]).stdout


def test_a_person_is_taken_in_again(runner: CliRunner, asked: list[dict[str, Any]]) -> None:
    assert "is taken in again" in runner.invoke(forget, ["u1", "--lift"]).stdout
    assert json.loads(runner.invoke(forget, ["u1", "--lift", "--json"]).stdout)["lifted"] is True
    assert all(one["lift"] for one in asked)


def test_somebody_must_be_named(runner: CliRunner) -> None:
    result = runner.invoke(forget, ["--yes"])
    assert result.exit_code == 2
    assert "say who" in result.stderr
