"""Two layers, the first of which sees a sixteenth of the context."""

VALUES = {"depth": 2, "window_pattern": "SL", "short_window": 0.0625}
