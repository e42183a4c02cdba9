"""Secrets of senders that lie in files: ``token_file`` instead of ``token``, in ``[segment]`` and in every source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECRETS = ("shared_secret", "token", "write_keys")


def read_secret_files(merged: dict[str, Any], problems: list[str], origins: dict[str, str]) -> None:
    """Put what the files hold where the secrets belong; several values stand on lines or between commas."""
    for key, table in _tables(merged.get("segment")):
        for name in SECRETS:
            if f"{name}_file" not in table:
                continue
            file = table.pop(f"{name}_file")
            if name in table:
                problems.append(f"{key}.{name}_file: give either {name} or {name}_file")
                continue
            try:
                table[name] = ",".join(Path(file).read_text(encoding="utf-8").split("\n"))
            except (OSError, TypeError, UnicodeDecodeError) as error:
                problems.append(f"{key}.{name}_file: cannot read {file} ({error})")
            origins[f"{key}.{name}"] = origins.get(f"{key}.{name}_file", f"{key}.{name}_file")


def _tables(segment: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """The common table and those of the sources. What is no table is left: the model says what is wrong with it."""
    if not isinstance(segment, dict):
        return
    yield "segment", segment
    sources = segment.get("sources")
    for name, table in sources.items() if isinstance(sources, dict) else ():
        if isinstance(table, dict):
            yield f"segment.sources.{name}", table
