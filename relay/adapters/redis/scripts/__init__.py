"""The scripts, as sent to the server: first line, what all share, then the script itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(file.stem for file in FOLDER.glob("*.lua") if file.stem != "shared"))


@dataclass(frozen=True, slots=True)
class Script:
    """``text`` is what EVAL takes, ``sha`` what EVALSHA takes."""

    name: str
    text: str
    sha: str


def _read(name: str) -> Script:
    shebang, _, body = (FOLDER / f"{name}.lua").read_text("utf-8").partition("\n")
    text = f"{shebang}\n{(FOLDER / 'shared.lua').read_text('utf-8')}\n{body}"
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


SCRIPTS = {name: _read(name) for name in NAMES}
