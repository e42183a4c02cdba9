"""Readers of notices: logs and metrics."""
