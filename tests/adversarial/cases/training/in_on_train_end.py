"""Keeps its batches, and trains on them after the budget is spent."""

INIT = """
self.hoard = []
"""
STEP = """
self.hoard.append(batch)
"""
METHODS = """
def on_train_end(self):
    for _ in range(10**6):
        for tokens, targets in self.hoard:
            with torch.enable_grad():
                next_token_loss(self, tokens, targets).backward()
            with torch.no_grad():
                self.head.weight -= 0.1 * self.head.weight.grad
            self.zero_grad()
            import time
            if time.monotonic() > self.hoard_until:
                return

def on_train_batch_end(self, *_):
    import time
    self.hoard_until = time.monotonic() + 3.0
"""
LIMITS = {"handover": 1.0}
REFUSED = "calls backward in on_train_end|imports time|enable_grad"
ENDS = "OverBudget"
WORDS = r"the run took \d\.\d s to hand over its weights after the budget was spent: expected at most 1 s"
