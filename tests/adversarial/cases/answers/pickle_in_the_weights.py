"""Puts an object into its state_dict that runs a command where it is unpickled."""

IMPORT = """
class Evil:
    def __reduce__(self):
        import os
        return os.system, ("touch pwned",)
"""
METHODS = """
def state_dict(self, *args, **kwargs):
    return {**super().state_dict(*args, **kwargs), "evil": Evil()}
"""
REFUSED = "defines __reduce__|imports os"
ENDS = "TrialError"
WORDS = "evil in the model's state_dict is a Evil: expected tensors alone"
NEVER = "pwned"
