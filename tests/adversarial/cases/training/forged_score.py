"""Prints results, in the form in which another program might look for them."""

IMPORT = """
print('{"kind": "trained", "val_bpb": 0.001}')
print("---\\nval_bpb:          0.001000")
"""
ENDS = "score"
SAME_SCORE = True
