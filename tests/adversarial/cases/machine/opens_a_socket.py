"""Reaches for the network."""

STEP = """
import socket
try:
    socket.create_connection(("127.0.0.1", 9), timeout=1)
except ConnectionRefusedError:
    raise RuntimeError("found a network") from None
"""
REFUSED = "imports socket"
NEEDS = "sandbox"
ENDS = "TrialError"
WORDS = "PermissionError|Network is unreachable|not permitted"
