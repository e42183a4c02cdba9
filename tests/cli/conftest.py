from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.ports import TOKEN, Backstage, served


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests, and a working directory without relay.toml."""
    for name in [name for name in os.environ if name.startswith("RELAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def backstage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backstage]:
    """An admin port that the commands find by environment."""
    found = Backstage()
    with served(found.app) as port:
        monkeypatch.setenv("RELAY_ADMIN_PORT", str(port))
        monkeypatch.setenv("RELAY_ADMIN_TOKEN", TOKEN)
        yield found
