"""What to try next: the kind of trial, the knob values, and how much of a gain is noise."""
