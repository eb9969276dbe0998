"""The package's own train.py."""
