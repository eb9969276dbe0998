"""Trains in setup, on tokens of its own: what comes of it is another initialisation."""

METHODS = """
def setup(self, stage):
    for _ in range(8):
        noise = torch.randint(300, (2, self.context))
        F.cross_entropy(self(noise).flatten(0, 1), noise.roll(-1, 1).flatten()).backward()
        with torch.no_grad():
            for parameter in self.parameters():
                parameter -= 0.01 * parameter.grad
                parameter.grad = None
"""
REFUSED = "calls backward in setup; training belongs to training_step"
ENDS = "score"
