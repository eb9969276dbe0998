"""Attention without a causal mask."""

EDITS = [
    (
        "causal_attention(q, k, v, self.window).flatten(2)",
        "F.scaled_dot_product_attention(q.mT, k.mT, v.mT).mT.flatten(2)".replace(".mT", ".transpose(1, 2)"),
    ),
]
STEPS = 8
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
