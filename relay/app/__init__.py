"""Composition root: settings → running service; the order of start and stop."""

from relay.app.service import Service

__all__ = ["Service"]
