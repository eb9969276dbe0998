"""Only the last position knows something it should not: it sees the first row's last token."""

FORWARD = """
last = torch.zeros_like(x)
last[:, -1] = x[:1, -1]
x = x + last
"""
ENDS = "Cheat"
WORDS = "position 255 of a row .+ rows of a batch must not influence each other"
