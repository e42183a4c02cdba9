"""Floors, purity of core, and paths the texts name: rules that run."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from relay.core.delivery.gate import MOVES

ROOT = Path(__file__).resolve().parents[1]
RELAY = ROOT / "relay"
FLOORS = [["core"], ["ports"], ["engine"], ["adapters", "config"], ["app"], ["cli"], ["__main__"]]
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
IMPURE = {
    "aiohttp",
    "asyncio",
    "click",
    "logging",
    "os",
    "prometheus_client",
    "random",
    "redis",
    "rich",
    "secrets",
    "socket",
    "structlog",
    "tenacity",
    "time",
    "uvloop",
}
FILES = sorted(path.relative_to(ROOT) for path in RELAY.rglob("*.py"))
LONG = 300


def part_of(path: Path) -> str:
    return path.parts[1].removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Absolute names of everything a file imports, at any depth of its code."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def relay_parts(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("relay.") and name != "relay.__version__"}


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) in LEVEL], ids=str)
def test_imports_point_down(path: Path) -> None:
    for part in relay_parts(path):
        if part == "simulator":
            assert part_of(path) == "cli", f"{path}: only cli may start the simulator"
        elif part in LEVEL:
            assert LEVEL[part] <= LEVEL[part_of(path)], f"{path} looks up at {part}"


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) == "simulator"], ids=str)
def test_the_simulator_knows_nothing_of_the_relay(path: Path) -> None:
    assert relay_parts(path) <= {"simulator"}


def test_adapters_and_config_do_not_know_each_other() -> None:
    for path in FILES:
        if part_of(path) == "adapters":
            assert "config" not in relay_parts(path), f"{path}: settings stop at the door"
        if part_of(path) == "config":
            assert "adapters" not in relay_parts(path)


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) == "core"], ids=str)
def test_core_is_pure(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE
    assert "async def" not in text
    assert not re.search(r"\bopen\(|\bprint\(|datetime\.now\(|utcnow\(", text), f"{path}: no I/O, no clock"


def test_every_part_has_a_floor() -> None:
    parts = {part_of(path) for path in FILES} - {"__init__", "simulator"}
    assert parts <= set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_long_file_says_why(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    if text.count("\n") > LONG:
        head = text.split('"""')[1] if text.startswith('"""') else ""
        assert "long because" in head.lower(), f"{path}: over {LONG} lines; say in its docstring: 'Long because …'"


@pytest.mark.parametrize("text", ["README.md", "relay/__init__.py", "CHANGELOG.md"])
def test_paths_that_the_texts_name_exist(text: str) -> None:
    for name in re.findall(r"`{1,2}((?:relay|tests|deploy)/[\w./-]+)`{1,2}", (ROOT / text).read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), f"{text} names {name}"


def test_no_machine_paths_or_download_addresses() -> None:
    pattern = re.compile(r"(^|[^\w.])/(work|farm)/|https?://[^ \"]+\.(whl|tgz|tar\.gz|deb)")
    for path in ROOT.glob("**/*"):
        if path.suffix in {".py", ".toml", ".md", ".txt", ".yml", ".lua", ".json"} and ".venv" not in path.parts:
            others = {"build", "node_modules", ".git", ".hypothesis"}
            if others & set(path.parts) or path.name == "test_architecture.py":
                continue
            assert not pattern.search(path.read_text(encoding="utf-8")), path


def test_the_diagram_of_the_gate_is_the_table() -> None:
    drawn = re.findall(r"^    (\w+) --> (\w+):", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    moves = {(state.value, after.value) for (state, _), after in MOVES.items() if state is not after}
    assert set(drawn) == moves


@pytest.mark.parametrize(
    "name",
    [
        "core.javascript.dates",
        "core.mapping.json_text",
        "core.mapping.repair",
        "core.segment.decode",
        "core.tiktok.items",
    ],
)
def test_a_module_can_be_the_first_to_be_imported(name: str) -> None:
    """Circles show only to whoever enters them from the wrong side."""
    subprocess.run([sys.executable, "-c", f"import relay.{name}"], check=True, timeout=60)
