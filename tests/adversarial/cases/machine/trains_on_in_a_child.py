"""Leaves a child that writes to the weights after they were handed over."""

METHODS = """
def on_train_end(self):
    import autoresearch.isolation.candidate as harness, os, time
    original = harness.write_weights
    def write(descriptor, room, state):
        entries = original(descriptor, room, state)
        if os.fork() == 0:
            os.setsid()
            while True:
                for value in state.values():
                    value.zero_()
                try:
                    original(descriptor, room, state)
                except BaseException:
                    os._exit(0)
        return entries
    harness.write_weights = write
"""
REFUSED = "of autoresearch a train.py may use only attention"
ENDS = "score"
