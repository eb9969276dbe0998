"""A low-pass filter over the whole row by FFT: it sees ahead and wraps around."""

FORWARD = """
spectrum = torch.fft.rfft(x.float(), dim=1)
spectrum[:, spectrum.size(1) // 2 :] = 0
x = x + torch.fft.irfft(spectrum, n=x.size(1), dim=1).to(x.dtype)
"""
ENDS = "Cheat"
WORDS = "a position must not depend on later tokens"
