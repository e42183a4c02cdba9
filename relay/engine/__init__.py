"""Async flow against ports: intake, delivery, settle. Knows no Redis, no HTTP."""
