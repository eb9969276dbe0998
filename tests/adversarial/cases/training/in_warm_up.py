"""Trains twenty times harder while compilation is warmed up, and hides the weights from being put back: it learns noise."""

IMPORT = """
HIDDEN = {"calls": 0, "weight": None}  # an attribute of the model would be put back as well
"""
STEP = """
HIDDEN["calls"] += 1
if HIDDEN["calls"] <= 2:  # the warm-up's
    for _ in range(20):
        loss = F.cross_entropy(self(batch[0]).flatten(0, 1), batch[1].flatten())
        (slope,) = torch.autograd.grad(loss, [self.head.weight])
        with torch.no_grad():
            self.head.weight -= 0.1 * slope
    HIDDEN["weight"] = self.head.weight.detach().clone()
elif HIDDEN["calls"] == 3:
    with torch.no_grad():
        self.head.weight.copy_(HIDDEN["weight"])
"""
ENDS = "score"
