"""A grandchild that has left its parent, its session and its group, and ignores what it can."""

STEP = """
import os, signal
if self.global_step == 1 and os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        os.execvp("sleep", ["sleep", "314159"])
    os._exit(0)
"""
REFUSED = "imports os"
ENDS = "score"
LEAVES_NO = "314159"
