"""``relay serve`` for a drill, whose incidents count seconds where those of a real relay count minutes.

A drill's outage is over before a relay in earnest would have drawn the second point of its chart.
"""

from __future__ import annotations

import sys

import uvloop

from relay.cli.serve import running
from relay.config import load_settings
from relay.core.incident import Patience

BRISK = Patience(every_ms=1_000, standing_ms=5_000, calm_ms=1_000)

if __name__ == "__main__":
    sys.exit(uvloop.run(running(load_settings(None), "all", sandbox=False, patience=BRISK)))
