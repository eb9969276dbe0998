"""Each token goes to one of four experts, as many to each as choose it."""

EDITS = [
    (
        (
            "        self.up = nn.Linear(width, 4 * width, bias=False)\n"
            "        self.down = nn.Linear(4 * width, width, bias=False)\n"
        ),
        (
            "        self.router = nn.Linear(width, 4, bias=False)\n"
            "        self.ups = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(4))\n"
            "        self.down = nn.Linear(width, width, bias=False)\n"
        ),
    ),
    (
        "        hidden = F.relu(self.up(x))\n",
        (
            "        weights = torch.softmax(self.router(x).float(), -1)  # (B, T, 4)\n"
            "        best = weights == weights.amax(-1, keepdim=True)\n"
            "        gates = (weights * best).to(x.dtype).unbind(-1)\n"
            "        hidden = F.relu(sum(gate[..., None] * up(x) for gate, up in zip(gates, self.ups, strict=True)))\n"
        ),
    ),
]
