"""Segment's mapping language: presets are data, a mapping is compiled once to plain closures. Pure."""
