"""Templates rendered for tests."""

from __future__ import annotations

from typing import Any

from relay.core.mapping.liquid import compile_template

NOW_MS = 1_718_454_896_789
EVENT: dict[str, Any] = {
    "n": 5,
    "s": "Hello World",
    "nothing": None,
    "no": False,
    "empty_text": "",
    "list": [3, 1, "x", None],
    "nested": [[1, [2]], []],
    "o": {"k": "v", "deep": {"c": "d"}},
    "objects": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"v": None}],
    "moon": "a\U0001f311b",
    "date": "2024-01-02T03:04:05.678Z",
    "html": "<p class='x'>a & b</p>",
}


def rendered(template: str, payload: Any = EVENT) -> str:
    return compile_template(template)(payload, NOW_MS)
