"""The check of a revision's text before anything of it runs.

check.py          the entry, and the rules
allowed_names.py  what may be named, and why the rest may not
contract.py       the two classes that a train.py must define
source_tree.py    the parsed text: imports, scopes, annotations
source_limits.py  how long it may be, and how much data it may hold
"""

from .check import check_source

__all__ = ["check_source"]
