"""Dropout, in training alone."""

FORWARD = """
x = F.dropout(x, 0.1, training=self.training)
"""
