"""Predicts the token after the next one as well, in training alone."""

INIT = """
self.second = nn.Linear(self.width, vocab_size, bias=False)
nn.init.zeros_(self.second.weight)
"""
EDITS = [
    (
        "        return next_token_loss(self, tokens, targets)\n",
        (
            "        features = norm(self.embedding(tokens))\n"
            "        further = F.cross_entropy(self.second(features[:, :-1]).flatten(0, 1), targets[:, 1:].flatten())\n"
            "        return next_token_loss(self, tokens, targets) + 0.1 * further\n"
        ),
    ),
    (
        "            adamw([self.x0_scale], hp.scalar_lr, 0.0, (0.96, 0.95)),\n",
        (
            "            adamw([self.x0_scale], hp.scalar_lr, 0.0, (0.96, 0.95)),\n"
            "            adamw([self.second.weight], 0.01, 0.0, betas),\n"
        ),
    ),
]
