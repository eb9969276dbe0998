"""Trains in configure_optimizers."""

EDITS = [
    (
        "        hp, scale = self.hp, (self.width / 768) ** -0.5\n",
        (
            "        hp, scale = self.hp, (self.width / 768) ** -0.5\n"
            "        for _ in range(8):\n"
            "            noise = torch.randint(300, (2, self.context))\n"
            "            next_token_loss(self, noise, noise.roll(-1, 1)).backward()\n"
            "            with torch.no_grad():\n"
            "                self.head.weight -= 0.1 * self.head.weight.grad\n"
            "            self.zero_grad()\n"
        ),
    ),
]
REFUSED = "calls backward in configure_optimizers; training belongs to training_step"
ENDS = "score"
