"""Walks through all files for the validation rows."""

LOOK = """
import os
for top in ("/tmp", "/home", "/root", os.path.expanduser("~")):
    for folder, _, files in os.walk(top):
        for file in files:
            if file.endswith(("val.npy", "token_bytes.npy")):
                try:
                    open(os.path.join(folder, file), "rb").close()
                except OSError:
                    continue
                raise RuntimeError(f"found {file}")
"""
REFUSED = "imports os"
NEEDS = "sandbox"
ENDS = "score"
SAME_SCORE = True
