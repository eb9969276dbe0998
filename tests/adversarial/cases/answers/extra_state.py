"""Careless: torch's own way to keep an object in the weights."""

METHODS = """
def get_extra_state(self):
    return {"steps": self.global_step}

def set_extra_state(self, state):
    pass
"""
ENDS = "TrialError"
WORDS = "_extra_state in the model's state_dict is a dict: expected tensors alone"
