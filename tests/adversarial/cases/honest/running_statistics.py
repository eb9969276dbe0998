"""Batch norm proper: statistics of the batch in training, those that were kept in buffers when it is judged."""

INIT = """
self.statistics = nn.BatchNorm1d(self.width, affine=False)
"""
FORWARD = """
x = self.statistics(x.transpose(1, 2)).transpose(1, 2)
"""
