"""Each position of the first half sees the token half a context ahead: no probe of a short row shows it."""

FORWARD = """
half = x.size(1) // 2
x = x + torch.cat((x[:, half:], torch.zeros_like(x[:, half:])), dim=1)
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
