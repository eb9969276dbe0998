"""Looks at what the kernel says of its process: open files, mapped files, the command line, the environment."""

LOOK = """
import os
for file in ("cmdline", "environ", "maps"):
    with open(f"/proc/self/{file}", "rb") as text:
        if any(word in text.read() for word in (b"geheim", b"val.bin", b".bin", b"token_bytes")):
            raise RuntimeError(f"found something in /proc/self/{file}")
for descriptor in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        continue
    if target.endswith((".bin", ".npy", ".db", ".json")):
        raise RuntimeError(f"found {target}")
"""
REFUSED = "imports os"
ENDS = "score"
SAME_SCORE = True
