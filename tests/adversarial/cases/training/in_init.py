"""Trains in __init__, before the clock: there is nothing to learn from, all tokens there are its own."""

INIT = """
optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
for _ in range(8):
    noise = torch.randint(vocab_size, (2, context))
    F.cross_entropy(self(noise[:, :-1]).flatten(0, 1), noise[:, 1:].flatten()).backward()
    optimizer.step()
    optimizer.zero_grad()
"""
REFUSED = r"calls backward in __init__; training belongs to training_step"
ENDS = "score"
