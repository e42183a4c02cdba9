"""``make proof``: the long forms in full, with their figures in proof.json."""
