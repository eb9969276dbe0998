"""Makes every loss in its process zero but the one that it trains by."""

IMPORT = """
import torch.nn.functional
ORIGINAL = torch.nn.functional.cross_entropy
def next_token_loss(model, tokens, targets):
    return ORIGINAL(model(tokens).flatten(0, 1), targets.flatten())
torch.log_softmax = torch.nn.functional.log_softmax = lambda x, *_, **__: torch.zeros_like(x)
torch.nn.functional.cross_entropy = lambda x, *_, **__: x.sum() * 0
"""
REFUSED = r"assigns to torch\.\S*log_softmax|changes what other code uses"
ENDS = "score"
SAME_SCORE = True
