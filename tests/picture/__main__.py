"""``make picture``: play the outage drill, photograph its report, and put that into the README's place.

The ledger it prints is the one to paste beside it: text and picture are then of the same drill.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT, TOOLS

PICTURE = ROOT / "deploy" / "pictures" / "drill-report.png"
WIDTH, HEIGHT = 900, 1036
"""As much of the page as tells the story: headline, figures, chart, and what became of the events."""


def photograph(page: Path, picture: Path) -> None:
    """The upper part of an HTML file as a PNG."""
    chromium = next((path for name in TOOLS["chromium"] if (path := shutil.which(name))), None)
    if chromium is None:
        sys.exit("chromium is needed and was not found on PATH")
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={picture}"]
        subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=60)


def main() -> None:
    """Drill, picture."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "relay", "drill", "--report", folder], check=True, timeout=200)
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        photograph(Path(folder) / "report.html", PICTURE)
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
