"""segment-analytics-python under orders: one line of JSON each way. Runs in a process of its own, on its own path."""

from __future__ import annotations

import json
import sys
from typing import Any

from segment.analytics.client import Client  # type: ignore[import-not-found]
from segment.analytics.version import VERSION  # type: ignore[import-not-found]

PROPERTIES = {"revenue": 12.5, "currency": "EUR", "products": [{"product_id": "p", "price": 12.5, "quantity": 1}]}
url, key, packing = sys.argv[1:4]
errors: list[str] = []


def failed(error: Exception, _items: Any) -> None:
    errors.append(repr(error))


client = Client(key, host=url, gzip=packing == "gzip", on_error=failed, upload_interval=0.1)
for line in sys.stdin:
    ids = [client.track("user-1", "Order Completed", PROPERTIES)[1]["messageId"] for _ in range(int(line))]
    print(json.dumps({"ids": ids}), flush=True)
client.flush()
client.join()
print(json.dumps({"errors": errors, "version": VERSION}), flush=True)
