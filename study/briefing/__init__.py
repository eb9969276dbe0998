"""What whoever edits is told: the human's instructions, the rules, the machine, and what was tried and came of it."""
