"""The study's database: our tables beside Optuna's, and every change of a study's state.

`Database.open` - `create_study` or `open_study` - `Ledger`: what a worker does goes through a ledger.
"""

from .claims import Refusal
from .database import Database
from .leases import Lease, Phase
from .ledger import Ledger
from .outages import Patience
from .promotion import Settlement
from .request_ledger import RequestLedger
from .runs import Run
from .studies import Study, create_study, delete_study, open_study, study_names

__all__ = [
    "Database",
    "Lease",
    "Ledger",
    "Patience",
    "Phase",
    "Refusal",
    "RequestLedger",
    "Run",
    "Settlement",
    "Study",
    "create_study",
    "delete_study",
    "open_study",
    "study_names",
]
