"""What arrives from Segment: signatures, envelopes, time, identity, consent. Pure."""
