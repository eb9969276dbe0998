"""A gated linear recurrence over the row."""

INIT = """
self.decay = nn.Parameter(torch.zeros(self.width))
"""
FORWARD = """
keep, state, states = torch.sigmoid(self.decay).to(x.dtype), torch.zeros_like(x[:, 0]), []
for position in range(x.size(1)):
    state = keep * state + (1 - keep) * x[:, position]
    states.append(state)
x = x + torch.stack(states, dim=1)
"""
EDITS = [
    (
        "            adamw([self.x0_scale], hp.scalar_lr, 0.0, (0.96, 0.95)),\n",
        (
            "            adamw([self.x0_scale], hp.scalar_lr, 0.0, (0.96, 0.95)),\n"
            "            adamw([self.decay], 0.01, 0.0, betas),\n"
        ),
    ),
]
