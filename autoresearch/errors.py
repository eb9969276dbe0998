"""The errors that autoresearch raises on purpose, one small tree.

    AutoresearchError
    ├── InputError          a flag, file or value from the user is wrong
    │   ├── DataError       ... the corpus, or the prepared data
    │   ├── KnobError       ... the name or the value of a knob
    │   ├── RevisionError   ... the text of a train.py
    │   ├── StudyError      ... the study: its name, its settings, this worker's fitness for it
    │   └── StorageError    ... the study's database, or the disk, cannot be used
    ├── TrialError          the run itself failed
    │   ├── OutOfMemory     ... for want of memory
    │   ├── Diverged        ... its loss is beyond hope
    │   ├── OverBudget      ... it overstayed and was killed
    │   ├── Cheat           ... it failed a probe of the judge
    │   └── Stopped         ... no failure: who watched it stopped it early
    ├── WorkerError         this machine cannot run trials at all: no fault of a revision's
    │   └── SandboxError    ... not in a sandbox that holds
    └── TerminatedError     the process was told to end (SIGTERM)

Every message is one line for a person: what was wrong, the value, what was expected, what to do. The command
line prints it without a traceback and exits with the class's `exit_code`.
"""


class AutoresearchError(Exception):
    """Root of the tree; catch this to catch all of ours.

    Attributes:
        tail: the end of a traceback or a log, for whoever wants more than the one line; often empty.
    """

    exit_code = 1

    def __init__(self, message: str = "", tail: str = "") -> None:
        super().__init__(message)
        self.tail = tail


class InputError(AutoresearchError):
    """Something the user gave is wrong, and the user can put it right."""

    exit_code = 2


class DataError(InputError):
    """A corpus or a prepared dataset is missing, broken, or does not fit the request."""


class KnobError(InputError):
    """A knob is unknown, or its value lies outside the declared range."""


class RevisionError(InputError):
    """A `train.py` does not parse or does not keep its contract."""


class StudyError(InputError):
    """There is no such study, it cannot be made, or this worker does not fit it."""


class StorageError(InputError):
    """The study's database, or the disk under its folders, cannot be opened, read or written."""


class TrialError(AutoresearchError):
    """A training run that was set up correctly did not come to a score."""


class OutOfMemory(TrialError):  # noqa: N818 -- a state with a name of its own, not an accident of ours
    """The run needed more memory than there is."""


class Diverged(TrialError):  # noqa: N818
    """The loss is not finite, or far above what it was."""


class OverBudget(TrialError):  # noqa: N818
    """The run overstayed and was killed."""


class Cheat(TrialError):  # noqa: N818
    """The model's answers depend on what they must not depend on: there is no score."""


class Stopped(TrialError):  # noqa: N818
    """Who watched the run stopped it before its budget was spent."""


class WorkerError(AutoresearchError):
    """No process for a trial can be started here; the next trial would fare no better."""


class SandboxError(WorkerError):
    """No sandbox holds here, or a process could not enclose itself in one."""


class TerminatedError(AutoresearchError):
    """SIGTERM arrived during a run; no fault of the run."""

    exit_code = 128 + 15
