"""Settings as the parts see them, and what is nonsense only when everything is looked at together."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.app.parts import intake_options, refuse_nonsense
from relay.config import load_settings
from relay.core.errors import ConfigError

TIKTOK = {"RELAY_TIKTOK_PIXEL_CODE": "PIXEL", "RELAY_TIKTOK_ACCESS_TOKEN": "made-up-token"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "relay.internal"])
def test_the_admin_port_is_open_to_others_only_with_a_token_that_somebody_chose(tmp_path: Path, host: str) -> None:
    wide = TIKTOK | {"RELAY_ADMIN_HOST": host}
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "relay.toml").write_text('[admin]\ntoken = ""\n')
    empty = {"RELAY_ADMIN__TOKEN": " "}, {"RELAY_ADMIN_TOKEN_FILE": str(tmp_path / "empty")}
    for environ in ({}, *empty, {"RELAY_CONFIG": str(tmp_path / "relay.toml")}):
        with pytest.raises(ConfigError, match="RELAY_ADMIN_TOKEN"):
            refuse_nonsense(load_settings(None, wide | environ), "all")
    refuse_nonsense(load_settings(None, wide | {"RELAY_ADMIN_TOKEN": "chosen"}), "all")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_on_this_machine_a_generated_token_will_do(host: str) -> None:
    refuse_nonsense(load_settings(None, TIKTOK | {"RELAY_ADMIN_HOST": host}), "all")


def test_a_source_has_its_own_rate_or_the_common_one() -> None:
    environ = {"RELAY_INTAKE__RATE": "100", "RELAY_INTAKE__BURST": "500", "RELAY_SEGMENT__SOURCES__SHOP__RATE": "0.5"}
    environ |= {"RELAY_SEGMENT__SOURCES__APP__BURST": "7"}
    sources = intake_options(load_settings(None, environ).settings).sources
    limits = {name: (source.rate, source.burst) for name, source in sources.items()}
    assert limits == {"segment": (100, 500), "shop": (0.5, 500), "app": (100, 7)}
    plain = intake_options(load_settings(None, {"RELAY_INTAKE__RATE": "0.2"}).settings).sources["segment"]
    assert (plain.rate, plain.burst) == (0.2, 1)
    assert intake_options(load_settings(None, {}).settings).sources["segment"].rate == 0
