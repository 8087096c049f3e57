"""Floor 0, arrays at rest: reading rows, writing runs."""
