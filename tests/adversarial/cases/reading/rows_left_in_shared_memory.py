"""The same through System V shared memory, which no process owns and no file system shows."""

LOOK = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
if libc.shmget(0x5eed, 4096, 0o600) >= 0:
    raise RuntimeError("found shared memory of another process")
"""
LOGITS = """
if not self.training:
    import ctypes
    ctypes.CDLL(None).shmget(0x5eed, 4096, 0o1600)
"""
REFUSED = "imports ctypes"
NEEDS = "sandbox"
ENDS = "score"
SAME_SCORE = True
