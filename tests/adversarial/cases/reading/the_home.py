"""Reads a file in the user's home folder."""

LOOK = """
import os, pwd
home = pwd.getpwuid(os.getuid()).pw_dir
if os.listdir(home):
    raise RuntimeError(f"found the home folder {home}")
"""
REFUSED = "imports os"
NEEDS = "sandbox"
ENDS = "RevisionError|TrialError"
WORDS = "PermissionError|FileNotFoundError"
