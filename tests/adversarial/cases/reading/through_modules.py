"""Looks through the harness's own modules, which it can import."""

LOOK = """
import sys
for name, module in list(sys.modules.items()):
    if name.split(".")[0] == "autoresearch":
        for key, value in list(vars(module).items()):
            if type(value).__name__ in ("Dataset", "Supervisor", "TrialSettings", "ndarray", "memmap"):
                raise RuntimeError(f"found {name}.{key}")
"""
REFUSED = "imports sys"
ENDS = "score"
SAME_SCORE = True
