from __future__ import annotations

import base64
from pathlib import Path

import pytest

from relay.config import key_bytes, load_settings
from relay.core.errors import ConfigError

KEY, OTHER = bytes(range(32)), bytes(range(200, 232))
NAMED = base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    "text",
    [NAMED, f" {NAMED}\n", NAMED.rstrip("="), base64.urlsafe_b64encode(KEY).decode(), KEY.hex(), KEY.hex().upper()],
)
def test_a_key_in_each_spelling(text: str) -> None:
    assert key_bytes(text) == KEY


@pytest.mark.parametrize("text", ["", "secret", "x" * 64, NAMED[:-4], base64.b64encode(KEY * 2).decode(), "ü" * 43])
def test_what_is_no_key_is_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="32 random bytes") as caught:
        key_bytes(text)
    assert not text or text not in str(caught.value)


def test_several_keys_from_the_environment_or_a_file(tmp_path: Path) -> None:
    both = f"{NAMED}, {OTHER.hex()}"
    file = tmp_path / "keys"
    file.write_text(both + "\n")
    for environ in ({"RELAY_ENCRYPTION_KEY": both}, {"RELAY_ENCRYPTION_KEY_FILE": str(file)}):
        loaded = load_settings(None, environ)
        secrets = loaded.settings.journal.encryption_key
        assert [key_bytes(one.get_secret_value()) for one in secrets] == [KEY, OTHER]
        shown = loaded.effective()["journal.encryption_key"]
        assert NAMED not in str(shown)
        assert shown[1] == next(iter(environ))
    assert load_settings(None, {"RELAY_ENCRYPTION_KEY": ""}).settings.journal.encryption_key == ()


@pytest.mark.parametrize("value", ["secret", f"{NAMED},{KEY.hex()}", f"{NAMED},secret"])
def test_wrong_keys_refuse_the_start_without_being_shown(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {"RELAY_ENCRYPTION_KEY": value})
    (problem,) = caught.value.problems
    assert "RELAY_ENCRYPTION_KEY" in problem
    assert NAMED not in problem
    assert "secret" not in problem.removeprefix("journal.encryption_key")


def test_lost_keys_are_named_by_id() -> None:
    assert load_settings(None, {"RELAY_JOURNAL__LOST_KEYS": "0a1b2c3d"}).settings.journal.lost_keys == ("0a1b2c3d",)
    with pytest.raises(ConfigError):
        load_settings(None, {"RELAY_JOURNAL__LOST_KEYS": NAMED})
