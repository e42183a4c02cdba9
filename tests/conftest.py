"""Fixtures every folder may use, and the rule for optional tools: skip with a reason, fail where all are required."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
TOOLS = {
    "promtool": ("promtool",),
    "prometheus": ("prometheus",),
    "redis-server": ("redis-server",),
    "strace": ("strace",),
    "chromium": ("chromium", "chromium-browser"),
    "node": ("node",),
}


def require_all() -> bool:
    """Whether a missing tool is a failure (CI) or a reason to skip (a laptop)."""
    return os.environ.get("RELAY_REQUIRE") == "all"


def missing(reason: str) -> None:
    """Skip, or fail where everything is required."""
    if require_all():
        pytest.fail(f"{reason} (RELAY_REQUIRE=all)")
    pytest.skip(reason)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            if not any(shutil.which(name) for name in TOOLS[tool]):
                missing(f"needs {tool}, which is not installed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "proof" in config.getoption("-m"):
        return
    proof = pytest.mark.skip(reason="the long form: make proof")
    for item in items:
        if item.get_closest_marker("proof"):
            item.add_marker(proof)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the golden data and example events; present beside a checkout in CI, absent elsewhere."""
    if not SHARED.is_dir():
        missing("the golden data folder is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
