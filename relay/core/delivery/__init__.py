"""Decisions about delivery: batch, gate, governor, order of service, verdict, clocks. Pure."""
