"""Whatever proposes edits of train.py."""
