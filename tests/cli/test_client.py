from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from relay.cli.client import Address, Misconfigured, Unreachable, find_admin
from relay.cli.status import status
from relay.cli.switch import pause, resume
from tests.cli.ports import Backstage, served


def test_the_address_comes_from_the_settings_of_the_relay() -> None:
    environ = {"RELAY_ADMIN_HOST": "10.1.2.3", "RELAY_ADMIN_PORT": "9", "RELAY_ADMIN_TOKEN": "t"}
    assert find_admin(environ) == Address("http://10.1.2.3:9", "t")
    assert find_admin(environ | {"RELAY_ADMIN_HOST": "0.0.0.0"}).url == "http://127.0.0.1:9"
    assert find_admin(environ | {"RELAY_ADMIN_HOST": "::1"}).url == "http://[::1]:9"


def test_the_token_may_be_the_one_a_relay_left_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "admin.token").write_text("left\n")
    assert find_admin({"RELAY_DATA_DIR": str(tmp_path)}).token == "left"


def test_no_token_is_one_line_that_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"RELAY_ADMIN_TOKEN.*admin\.token") as caught:
        find_admin({"RELAY_DATA_DIR": str(tmp_path)})
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_broken_configuration_is_exit_2() -> None:
    with pytest.raises(Misconfigured, match=r"admin\.port") as caught:
        find_admin({"RELAY_ADMIN_PORT": "x"})
    assert caught.value.exit_code == 2


def test_nobody_there_is_one_line_and_exit_3(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_ADMIN_PORT", "9")
    monkeypatch.setenv("RELAY_ADMIN_TOKEN", "t")
    result = runner.invoke(status)
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: no relay at http://127.0.0.1:9 (")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_somebody_else_there_is_exit_3(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(web.Application()) as port:
        monkeypatch.setenv("RELAY_ADMIN_PORT", str(port))
        monkeypatch.setenv("RELAY_ADMIN_TOKEN", "t")
        result = runner.invoke(status)
    assert (result.exit_code, result.stderr.count("\n")) == (3, 1)


def test_a_wrong_token_is_said(runner: CliRunner, backstage: Backstage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_ADMIN_TOKEN", "wrong")
    result = runner.invoke(status)
    assert result.exit_code == 1
    assert "admin token" in result.stderr


def test_switches(runner: CliRunner, backstage: Backstage) -> None:
    assert runner.invoke(pause, ["tiktok"]).output == "tiktok: paused; events are kept until `relay resume`\n"
    assert backstage.turned == [("pause", "tiktok")]
    assert '"action": "pause"' in runner.invoke(pause, ["tiktok", "--json"]).stdout
    unknown = runner.invoke(pause, ["a/b ?"])
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (1, 1)
    assert "no destination of that name; there are: tiktok" in unknown.stderr
    assert runner.invoke(resume, ["tiktok"]).exit_code == 1, "this port does not offer it"
