"""Segment's own code against a running relay, all the way to what TikTok counted (Segment sheet sections 2.4 and 8)."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.senders.cast import BROWSERS, ROUND, SENDERS
from tests.senders.installed import Unavailable
from tests.senders.play import Played, play

pytestmark = [pytest.mark.e2e, pytest.mark.real_senders, pytest.mark.timeout(240)]
VERSIONS = {
    "python_2_4_0": "2.4.0", "python_2_4_0_gzip": "2.4.0", "python_2_3_4": "2.3.4", "python_2_3_4_gzip": "2.3.4",
    "node": "3.1.0", "webhooks": "3.497.0", "browser": "1.84.3", "browser_batching": "1.84.3",
}  # fmt: skip
WEBHOOKS_IN_A_ROUND = 15


@pytest.fixture(scope="module")
def played() -> Iterator[Played]:
    with tempfile.TemporaryDirectory(prefix="play-", ignore_cleanup_errors=True) as folder:  # sockets want short paths
        try:
            yield asyncio.run(play(Path(folder)))
        except Unavailable as reason:
            missing(str(reason))


@pytest.mark.parametrize("name", SENDERS)
def test_a_real_sender_loses_nothing_over_an_outage_of_redis(played: Played, name: str) -> None:
    if name in played.absent:
        missing(played.absent[name])
    report = played.reports[name]
    assert report.version == VERSIONS[name]
    assert report.errors == []
    assert played.deferred[name] > 0  # it was told 503, and came again
    assert played.refused[name] == (1 if name == "browser" else 0)  # the stranger's
    assert len(set(report.ids)) == 3 * (WEBHOOKS_IN_A_ROUND if name == "webhooks" else ROUND)
    assert [played.received.get(("CompletePayment", one)) for one in report.ids] == [1] * len(report.ids)


def test_nothing_was_counted_twice(played: Played) -> None:
    assert (played.counted["doubled"], played.counted["without_id"]) == (0, 0)
    assert played.counted["unique"] == sum(len(set(report.ids)) for report in played.reports.values())


def test_while_redis_was_away_the_answer_was_503_and_when_to_come_again(played: Played) -> None:
    status, retry_after, body = played.refusal
    assert status == 503
    assert 0 < int(retry_after) <= 60
    assert (body["success"], body["code"]) == (False, "store_unavailable")


@pytest.mark.parametrize("name", BROWSERS)
def test_what_a_browser_put_on_the_wire(played: Played, name: str) -> None:
    if name in played.absent:
        missing(played.absent[name])
    wire = played.pages[name].wire
    (settings,) = wire.to("/v1/projects/")
    assert settings["status"] == 200
    path = r"/v1/b$" if name == "browser_batching" else r"/v1/t$"
    sent = [one for one in wire.to("/v1/") if one["method"] == "POST"]
    assert all(re.search(path, one["url"]) for one in sent)
    assert {one["headers"]["content-type"] for one in sent} == {"text/plain"}
    assert all(one["headers"]["authorization"].startswith("Basic ") for one in sent)
    assert {one["status"] for one in sent} == {200, 503}
    assert any(int(one["headers"].get("x-retry-count", 0)) > 0 for one in sent)
    asked = [one for one in wire.to("/v1/") if one["method"] == "OPTIONS"]
    assert asked
    assert {one["status"] for one in asked} == {200}
    if name == "browser_batching":
        assert len(sent) < 3 * ROUND  # several events in a request


def test_a_page_that_may_not_send_is_kept_out(played: Played) -> None:
    if absent := played.absent.get("browser"):
        missing(absent)
    assert played.stranger
    assert all("failed" in one for one in played.stranger)
    assert ("CompletePayment", "stranger") not in played.received
