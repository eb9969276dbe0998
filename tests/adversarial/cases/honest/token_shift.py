"""Half of the channels come from the token before."""

FORWARD = """
before = F.pad(x[:, :-1], (0, 0, 1, 0))
x = torch.cat((before[..., : self.width // 2], x[..., self.width // 2 :]), dim=-1)
"""
