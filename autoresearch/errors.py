"""The errors that autoresearch raises on purpose, one small tree.

    AutoresearchError
    ├── InputError          a flag, file or value from the user is wrong
    │   ├── DataError       ... the corpus, or the prepared data
    │   ├── KnobError       ... the name or the value of a knob
    │   └── RevisionError   ... the text of a train.py
    ├── TrialError          the run itself failed (diverged, out of memory)
    └── TerminatedError     the process was told to end (SIGTERM)

Every message is one line for a person: what was wrong, the value, what was expected, what to do. The command
line prints it without a traceback and exits with the class's `exit_code`.
"""


class AutoresearchError(Exception):
    """Root of the tree; catch this to catch all of ours."""

    exit_code = 1


class InputError(AutoresearchError):
    """Something the user gave is wrong, and the user can put it right."""

    exit_code = 2


class DataError(InputError):
    """A corpus or a prepared dataset is missing, broken, or does not fit the request."""


class KnobError(InputError):
    """A knob is unknown, or its value lies outside the declared range."""


class RevisionError(InputError):
    """A `train.py` does not parse or does not keep its contract."""


class TrialError(AutoresearchError):
    """A training run that was set up correctly did not come to a score."""


class TerminatedError(AutoresearchError):
    """SIGTERM arrived during a run; no fault of the run."""

    exit_code = 128 + 15
