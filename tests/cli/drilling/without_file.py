"""A relay whose embedded Valkey writes no append-only file: the negative control of the crash drill."""

from __future__ import annotations

from relay.adapters.redis import valkey_process
from relay.cli import main

if __name__ == "__main__":
    valkey_process.SETTINGS |= {"appendonly": "no"}
    main(["serve"])
