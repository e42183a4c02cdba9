"""The judge of the drills' alerts must itself be able to see one."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.deploy.stretched import fired, folded, page_of

PAGE = """# TYPE relay_redis_up gauge
relay_redis_up 1
# TYPE relay_backlog_oldest_age_seconds gauge
relay_backlog_oldest_age_seconds{class="conversion",destination="tiktok"} 2
# TYPE relay_gate_state gauge
relay_gate_state{destination="tiktok",state="held"} 0
# TYPE relay_build_info gauge
relay_build_info 1
"""


def scrapes(file: Path, pages: list[str | None]) -> Path:
    """Four a second."""
    rows = [{"at": number / 4, "page": page} for number, page in enumerate(pages)]
    file.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return file


@pytest.mark.needs("promtool")
@pytest.mark.parametrize(
    ("middle", "found"),
    [
        (PAGE, set()),
        (None, {"RelayDown"}),
        (PAGE.replace('"held"} 0', '"held"} 1'), {"RelayHeld"}),
        (PAGE.replace("redis_up 1", "redis_up 0"), {"RelayRedisDown"}),
    ],
    ids=["calm", "down", "held", "store"],
)
def test_what_lasts_long_enough_fires(root: Path, tmp_path: Path, middle: str | None, found: set[str]) -> None:
    file = scrapes(tmp_path / "metrics.jsonl", [*[PAGE] * 8, *[middle] * 12, *[PAGE] * 8])
    assert fired(file, 60, root / "deploy/prometheus/rules.yml", tmp_path) == found


@pytest.mark.needs("promtool")
def test_what_is_shorter_does_not(root: Path, tmp_path: Path) -> None:
    file = scrapes(tmp_path / "metrics.jsonl", [*[PAGE] * 8, *[None] * 6, *[PAGE] * 8])
    assert fired(file, 60, root / "deploy/prometheus/rules.yml", tmp_path) == set()


def test_durations_are_stretched_and_counts_are_not() -> None:
    page = page_of(PAGE, {"relay_redis_up", "relay_backlog_oldest_age_seconds"}, 60)
    assert page is not None
    assert sorted(page.values()) == [1, 120]


def test_equal_neighbours_are_folded() -> None:
    assert folded([1, 1, 1, 2.5, None, None, float("inf"), 0]) == "1x2 2.5x0 stale stale Inf 0x0"
