"""The parts of ``relay drill``: a stage of real processes, a play, an audience's view, and a ledger."""
