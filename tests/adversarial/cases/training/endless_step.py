"""A step without an end."""

STEP = """
while self.global_step == 2:
    pass
"""
SECONDS = 0.7
LIMITS = {"overstay": 1.0}
ENDS = "OverBudget"
WORDS = r"the run was still training 1\.7 s after it began and was killed"
