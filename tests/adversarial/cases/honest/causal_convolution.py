"""A depthwise convolution over the last four tokens."""

INIT = """
self.taps = nn.Parameter(torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(self.width, 1)[:, None])  # (C, 1, 4)
"""
FORWARD = """
x = F.conv1d(F.pad(x.transpose(1, 2), (3, 0)), self.taps.to(x.dtype), groups=self.width).transpose(1, 2)
"""
EDITS = [
    (
        "            adamw([self.x0_scale], hp.scalar_lr, 0.0, (0.96, 0.95)),\n",
        (
            "            adamw([self.x0_scale], hp.scalar_lr, 0.0, (0.96, 0.95)),\n"
            "            adamw([self.taps], 0.01, 0.0, betas),\n"
        ),
    ),
]
