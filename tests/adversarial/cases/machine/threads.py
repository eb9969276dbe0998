"""Threads that never end, and that Python would wait for."""

STEP = """
import threading, time
if self.global_step == 1:
    for _ in range(8):
        threading.Thread(target=time.sleep, args=(1e6,), daemon=False).start()
"""
REFUSED = "imports threading"
ENDS = "score"
SAME_SCORE = True
