"""An average of the head's weights in a persistent buffer, with which the judge's questions are answered."""

INIT = """
self.register_buffer("average", self.head.weight.detach().clone())
"""
METHODS = """
def on_train_batch_end(self, outputs, batch, batch_idx):
    self.average.lerp_(self.head.weight.detach(), 0.5)
"""
LOGITS = """
if not self.training:
    logits = F.linear(norm(x), self.average).float()
"""
