from __future__ import annotations

from pathlib import Path

import pytest

from relay.config import load_settings
from relay.core.errors import ConfigError

TIKTOK = {"RELAY_TIKTOK_PIXEL_CODE": "PIXEL", "RELAY_TIKTOK_ACCESS_TOKEN": "made-up-token"}


def problems(environ: dict[str, str], path: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ)
    return caught.value.problems


def test_defaults_bind_to_loopback_while_nobody_is_verified() -> None:
    settings = load_settings(None, {}).settings
    assert settings.intake.host == "0.0.0.0"
    assert settings.intake_host == "127.0.0.1"


@pytest.mark.parametrize(
    "environ",
    [
        {"RELAY_SEGMENT_SHARED_SECRET": "s"},
        {"RELAY_SEGMENT_TOKEN": "t"},
        {"RELAY_SEGMENT_WRITE_KEYS": "w"},
        {"RELAY_SEGMENT__SOURCES__SHOP__TOKEN": "t"},
        {"RELAY_INTAKE__ALLOW_UNSIGNED": "true"},
    ],
)
def test_a_verified_relay_binds_where_it_was_told(environ: dict[str, str]) -> None:
    assert load_settings(None, environ).settings.intake_host == "0.0.0.0"


def test_every_problem_is_reported_at_once_with_its_key_and_origin() -> None:
    found = problems(
        {
            "RELAY_PORT": "99999",
            "RELAY_SEGMNT_TOKEN": "x",
            "RELAY_DELIVERY__LINGR": "3",
            "RELAY_TIKTOK_PIXEL_CODE": "P",
            "RELAY_ADMIN_TOKEN_FILE": "/nonexistent/file",
        }
    )
    text = "\n".join(found)
    assert "RELAY_SEGMNT_TOKEN: no such setting; did you mean RELAY_SEGMENT_TOKEN?" in text
    assert "intake.port" in text
    assert "(from RELAY_PORT)" in text
    assert "delivery.lingr: no such setting; did you mean linger?" in text
    assert "destinations.0: give either access_token or access_token_file" in text
    assert "RELAY_ADMIN_TOKEN_FILE: cannot read" in text


def test_values_of_secrets_never_show() -> None:
    loaded = load_settings(None, {**TIKTOK, "RELAY_SEGMENT_SHARED_SECRET": "hush,hush2", "RELAY_ADMIN_TOKEN": "key"})
    shown = str(loaded.effective()) + repr(loaded.settings)
    assert "hush" not in shown
    assert "made-up-token" not in shown
    assert loaded.settings.segment.shared_secret[1].get_secret_value() == "hush2"


def test_a_bad_secret_is_not_quoted_in_the_problem() -> None:
    found = problems({"RELAY_DESTINATIONS__0__NAME": "BAD NAME", "RELAY_DESTINATIONS__0__ACCESS_TOKEN": "made-up"})
    assert "made-up" not in "\n".join(found)


def test_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one,two\n")
    (tmp_path / "token").write_text("tok\n")
    environ = {
        "RELAY_SEGMENT_SHARED_SECRET_FILE": str(tmp_path / "secret"),
        "RELAY_TIKTOK_PIXEL_CODE": "P",
        "RELAY_TIKTOK_ACCESS_TOKEN_FILE": str(tmp_path / "token"),
    }
    loaded = load_settings(None, environ)
    assert [secret.get_secret_value() for secret in loaded.settings.segment.shared_secret] == ["one", "two"]
    assert loaded.settings.destinations[0].access_token_file == tmp_path / "token"
    assert loaded.effective()["segment.shared_secret"][1] == "RELAY_SEGMENT_SHARED_SECRET_FILE"


def test_environment_outranks_the_file_and_origins_say_so(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(
        '[delivery]\nlinger = "80ms"\ntimeout = 9\n'
        '[[destinations]]\nname = "a"\nevent_source_id = "X"\naccess_token = "t"\n'
    )
    loaded = load_settings(file, {"RELAY_DELIVERY__LINGER": "20ms", **TIKTOK})
    assert loaded.settings.delivery.linger == pytest.approx(0.02)
    assert loaded.settings.delivery.timeout == 9
    assert [destination.name for destination in loaded.settings.destinations] == ["a", "tiktok"]
    assert loaded.effective()["delivery.linger"] == ("0.02", "RELAY_DELIVERY__LINGER")
    assert loaded.effective()["delivery.timeout"] == ("9.0", str(file))


def test_destinations_by_number() -> None:
    environ = {
        "RELAY_DESTINATIONS__0__NAME": "shop",
        "RELAY_DESTINATIONS__0__EVENT_SOURCE_ID": "P1",
        "RELAY_DESTINATIONS__0__ACCESS_TOKEN": "t",
        "RELAY_DESTINATIONS__0__MAX_AGE": "3d",
    }
    (destination,) = load_settings(None, environ).settings.destinations
    assert destination.max_age == 3 * 86400
    assert destination.preset == "tiktok-conversions"
    assert destination.overlap_with == "pixel"


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("mine.json", "{folder}/mine.json"),
        ("sub/mine", "{folder}/sub/mine"),
        ("/elsewhere/mine.json", "/elsewhere/mine.json"),
        ("tiktok-conversion", "{folder}/tiktok-conversion"),
    ],
)
def test_a_mapping_file_is_looked_for_beside_the_file_that_names_it(tmp_path: Path, named: str, found: str) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(f'[[destinations]]\nname = "a"\nevent_source_id = "X"\naccess_token = "t"\nmapping = "{named}"\n')
    (destination,) = load_settings(file, {}).settings.destinations
    assert destination.mapping_file == Path(found.format(folder=tmp_path))
    assert destination.preset == "tiktok-conversions"


def test_a_mapping_file_of_the_environment_is_looked_for_where_the_relay_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {f"RELAY_DESTINATIONS__0__{key}": "x" for key in ("NAME", "EVENT_SOURCE_ID", "ACCESS_TOKEN")}
    environ |= {"RELAY_DESTINATIONS__0__MAPPING": "mine.json", "RELAY_DESTINATIONS__0__EVENT_SOURCE": "offline"}
    loaded = load_settings(None, environ)
    assert loaded.settings.destinations[0].mapping_file == tmp_path / "mine.json"
    assert loaded.settings.destinations[0].preset == "tiktok-offline-conversions"
    assert loaded.effective()["destinations.0.mapping"] == ("mine.json", "RELAY_DESTINATIONS__0__MAPPING")


@pytest.mark.parametrize("named", ["", "tiktok-app-events"])
def test_a_preset_family_is_no_file(named: str, tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(f'[[destinations]]\nname = "a"\nevent_source_id = "X"\naccess_token = "t"\nmapping = "{named}"\n')
    (destination,) = load_settings(file, {}).settings.destinations
    assert destination.mapping_file is None
    assert destination.preset == (named or "tiktok-conversions")


@pytest.mark.parametrize("text", ["destinations = 3", "destinations = [3]", "[[destinations]]\nmapping = 3"])
def test_destinations_of_a_wrong_type_are_problems(tmp_path: Path, text: str) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(text)
    assert any(line.startswith("destinations") for line in problems({}, file))


def test_behind_segments_destination_the_overlap_is_segments_unless_said_otherwise() -> None:
    environ = {"RELAY_TIKTOK_PIXEL_CODE": "P1", "RELAY_TIKTOK_ACCESS_TOKEN": "t"}
    tables = {
        "": "pixel",
        'mode = "standby"': "segment",
        'mode = "standby"\nevent_source = "app"': "segment",
        'mode = "standby"\nalso_sent_by = "nobody"': "nobody",
        'event_source = "app"': "nobody",
    }
    for number, (text, who) in enumerate(tables.items()):
        settings = dict(line.split(" = ") for line in text.splitlines())
        environ |= {
            f"RELAY_DESTINATIONS__{number}__{key.upper()}": value.strip('"')
            for key, value in ({"name": f"d{number}", "event_source_id": "P", "access_token": "t"} | settings).items()
        }
        found = load_settings(None, environ).settings.destinations
        assert {one.name: one.overlap_with for one in found}[f"d{number}"] == who


def test_kubernetes_service_links_are_told_apart() -> None:
    assert any("enableServiceLinks" in line for line in problems({"RELAY_PORT": "tcp://10.0.0.1:80"}))
    assert load_settings(None, {"RELAY_SERVICE_HOST": "10.0.0.1", "RELAY_PORT_80_TCP": "tcp://10.0.0.1:80"})


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[delivery\n", "not valid TOML"),
        ("[intake]\nmax_boby = 3\n", "did you mean max_body"),
        ("[delivery]\nlinger = 'x'", "linger"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, word: str) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(text)
    assert any(word in line for line in problems({}, file))


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be read" in problems({"RELAY_CONFIG": str(tmp_path / "none.toml")})[0]


def test_two_destinations_of_one_name() -> None:
    environ = dict(TIKTOK)
    environ |= {
        "RELAY_DESTINATIONS__0__NAME": "a",
        "RELAY_DESTINATIONS__0__EVENT_SOURCE_ID": "P",
        "RELAY_DESTINATIONS__0__ACCESS_TOKEN": "t",
        "RELAY_DESTINATIONS__1__NAME": "a",
        "RELAY_DESTINATIONS__1__EVENT_SOURCE_ID": "P",
        "RELAY_DESTINATIONS__1__ACCESS_TOKEN": "t",
    }
    del environ["RELAY_TIKTOK_PIXEL_CODE"], environ["RELAY_TIKTOK_ACCESS_TOKEN"]
    assert any("two destinations are called 'a'" in line for line in problems(environ))


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"RELAY_INTAKE__TRUSTED_PROXIES": "nonsense"}, "intake.trusted_proxies"),
        ({"RELAY_JOURNAL__LEASE": "0"}, "journal.lease"),
        ({"RELAY_JOURNAL__TIMEOUT": "0"}, "journal.timeout"),
        ({"RELAY_JOURNAL__ON_FULL": "burst"}, "journal.on_full"),
        ({"RELAY_DELIVERY__TIMEOUT": "0"}, "delivery.timeout"),
        ({"RELAY_JOURNAL__LEASE": "5s"}, "a call would outlive it"),
    ],
)
def test_values_that_would_only_fail_later_are_refused_now(environ: dict[str, str], word: str) -> None:
    assert any(word in line for line in problems(environ))


def test_empty_is_not_set() -> None:
    loaded = load_settings(
        None, {"RELAY_ADMIN_TOKEN": "", "RELAY_REDIS_URL": "", "RELAY_LOG_FORMAT": "", "RELAY_PORT": ""}
    )
    assert loaded.settings.admin.token is None
    assert loaded.settings.journal.redis_url is None


def test_a_limit_of_events_is_a_number_and_may_differ_by_source() -> None:
    environ = {"RELAY_INTAKE__RATE": "100", "RELAY_SEGMENT__SOURCES__SHOP__RATE": "0.5"}
    settings = load_settings(None, environ).settings
    assert (settings.intake.rate, settings.segment.sources["shop"].rate) == (100.0, 0.5)
    assert "intake" in problems({"RELAY_INTAKE__RATE": "0"})[0].lower()


def test_the_limits_in_the_readme_are_the_defaults(root: Path) -> None:
    intake = load_settings(None, {}).settings.intake
    said = (root / "README.md").read_text(encoding="utf-8")
    for row in (
        f"| `max_body`, `max_events` | `{intake.max_body // 1024**2}MiB` unpacked, {intake.max_events:,} |",
        f"| `max_depth` | {intake.max_depth} |",
        f"| `max_in_flight` | `{intake.max_in_flight // 1024**2}MiB` |",
        f"| `max_queue` | `{intake.max_queue // 1024**2}MiB` |",
        f"| `max_connections` | {intake.max_connections} |",
        f"| `head_timeout` | `{intake.head_timeout:.0f}s` |",
        f"| `body_timeout`, `body_rate` | `{intake.body_timeout:.0f}s`, {int(intake.body_rate)} bytes a second |",
        f"| `idle_timeout` | `{intake.idle_timeout:.0f}s` |",
        f"`intake.stop_grace` ({intake.stop_grace:.0f} s)",
    ):
        assert row in said
    assert (intake.rate, intake.burst) == (None, None)
