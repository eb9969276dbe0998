"""Looks at what the kernel says of its process: open files, mapped files, the command line, the environment."""

LOOK = """
import os
for file in ("cmdline", "environ", "maps"):
    with open(f"/proc/self/{file}", "rb") as opened:
        text = opened.read()
    for word in (b"geheim", b".npy", b"token_bytes", b"sentences"):
        if word in text:
            raise RuntimeError(f"found {word} in /proc/self/{file}")
for descriptor in os.listdir("/proc/self/fd"):
    try:
        target = os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:  # that of the listing itself
        continue
    if target.endswith((".npy", ".db", ".json")):
        raise RuntimeError(f"found {target}")
"""
REFUSED = "imports os"
ENDS = "score"
SAME_SCORE = True
