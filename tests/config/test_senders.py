"""Sources: what each may say of itself, and what is refused before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.config import load_settings
from relay.core.errors import ConfigError

SHOP = """
[[destinations]]
name = "shop"
event_source_id = "PIXEL"
access_token = "made-up"

[[destinations]]
name = "app"
event_source = "app"
event_source_id = "7"
access_token = "made-up"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "relay.toml"
    path.write_text(SHOP + text, encoding="utf-8")
    return path


def test_a_source_has_secrets_keys_origins_and_destinations_of_its_own(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
[segment]
shared_secret = ["new", "old"]
destinations = "shop"
[segment.sources.ios]
write_keys = "WK_1, WK_2"
allowed_origins = ["https://SHOP.example.com", "https://*.example.net:8443"]
destinations = ["app"]
""",
    )
    settings = load_settings(path, {"RELAY_SEGMENT__SOURCES__WEB__DESTINATIONS": "shop,app"}).settings
    assert len(settings.segment.shared_secret) == 2
    assert settings.segment.destinations == ("shop",)
    ios = settings.segment.sources["ios"]
    assert ios.allowed_origins == ("https://shop.example.com", "https://*.example.net:8443")
    assert (ios.destinations, len(ios.write_keys)) == (("app",), 2)
    assert settings.segment.sources["web"].destinations == ("shop", "app")


def test_every_name_and_key_that_fits_nothing_is_listed_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
[segment]
write_keys = "WK_SECRET_ONE"
[segment.sources.ios]
write_keys = "WK_SECRET_ONE"
destinations = ["shop", "ap", "sho"]
""",
    )
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    (problem,) = caught.value.problems
    assert "segment.sources.ios.destinations: no destination is called 'ap'" in problem
    assert "segment.sources.ios.destinations: no destination is called 'sho'" in problem
    assert "segment.sources.ios.write_keys and segment.write_keys share a key" in problem
    assert "WK_SECRET" not in problem


NONE = "lists an empty value, which is no secret"


@pytest.mark.parametrize("table", ["segment", "segment.sources.ios"])
@pytest.mark.parametrize("name", ["shared_secret", "token", "write_keys"])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_value_in_a_list_lets_nobody_in(tmp_path: Path, table: str, name: str, empty: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, f'[{table}]\n{name} = ["new", "{empty}"]\n'), {})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{table}.{name}: {NONE}")
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, ""), {f"RELAY_{table}.{name}".replace(".", "__").upper(): f'["{empty}"]'})
    assert NONE in caught.value.problems[0]


@pytest.mark.parametrize("text", ['""', "[]", '" , "'])
def test_nothing_at_all_means_none(tmp_path: Path, text: str) -> None:
    source = load_settings(written(tmp_path, f"[segment]\ntoken = {text}\nwrite_keys = {text}\n"), {}).settings.segment
    assert (source.token, source.write_keys) == ((), ())
    (tmp_path / "token").write_text("\n\n")
    kept = load_settings(written(tmp_path, f'[segment]\ntoken_file = "{tmp_path / "token"}"\n'), {}).settings.segment
    assert kept.token == ()


@pytest.mark.parametrize(
    "origin",
    ["shop.example.com", "https://shop.example.com/", "https://a.*.com", "*", "null", "https://u@h", "https://"],
)
def test_an_origin_is_written_as_browsers_write_it(tmp_path: Path, origin: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, f'[segment]\nallowed_origins = ["{origin}"]\n'), {})
    (problem,) = caught.value.problems
    assert problem.startswith("segment.allowed_origins: an origin is https://shop.example.com")


def test_the_public_address_is_an_address() -> None:
    given = {"RELAY_INTAKE__PUBLIC_URL": "https://relay.example.com/"}
    assert load_settings(None, given).settings.intake.public_url == "https://relay.example.com"
    with pytest.raises(ConfigError, match=r"intake\.public_url: must start with"):
        load_settings(None, {"RELAY_INTAKE__PUBLIC_URL": "relay.example.com"})


def test_the_readmes_example_of_senders_is_a_configuration(root: Path, tmp_path: Path) -> None:
    section = (root / "README.md").read_text(encoding="utf-8").partition("\n## Senders\n")[2].partition("\n## ")[0]
    example = section.partition("```toml\n")[2].partition("```")[0]
    settings = load_settings(written(tmp_path, example.replace("shop-app", "app")), {}).settings
    assert set(settings.segment.sources) == {"web", "ios"}
    assert len(settings.segment.token) == 2


def test_secrets_of_sources_may_lie_in_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("new\nold\n", encoding="utf-8")
    (tmp_path / "keys").write_text("WK_1, WK_2", encoding="utf-8")
    path = written(
        tmp_path,
        f"""
[segment]
token_file = "{tmp_path}/secret"
[segment.sources.ios]
shared_secret_file = "{tmp_path}/secret"
""",
    )
    loaded = load_settings(path, {"RELAY_SEGMENT__SOURCES__IOS__WRITE_KEYS_FILE": f"{tmp_path}/keys"})
    ios = loaded.settings.segment.sources["ios"]
    assert [one.get_secret_value() for one in loaded.settings.segment.token] == ["new", "old"]
    assert [one.get_secret_value() for one in ios.shared_secret] == ["new", "old"]
    assert [one.get_secret_value() for one in ios.write_keys] == ["WK_1", "WK_2"]
    assert loaded.effective()["segment.sources.ios.write_keys"][1] == "RELAY_SEGMENT__SOURCES__IOS__WRITE_KEYS_FILE"


def test_a_secret_file_that_cannot_be_read_or_is_one_too_many_is_a_problem(tmp_path: Path) -> None:
    path = written(tmp_path, f'[segment]\ntoken = "t"\ntoken_file = "x"\nshared_secret_file = "{tmp_path}/none"\n')
    with pytest.raises(ConfigError) as caught:
        load_settings(path, {})
    first, second = caught.value.problems
    assert first.startswith("segment.shared_secret_file: cannot read")
    assert second == "segment.token_file: give either token or token_file"
