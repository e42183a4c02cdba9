"""Entries in Redis or Valkey: scripts, keys, encoding, the embedded server."""
