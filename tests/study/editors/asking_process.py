"""A worker that asks for one edit and is killed at a given point of the account: asking_process.py DB URL POINT."""

from __future__ import annotations

import os
import signal
import sys

from autoresearch.study.editors.anthropic import AnthropicEditor
from autoresearch.study.editors.editor import Briefing, EditContext
from autoresearch.study.editors.paid import PaidModel
from autoresearch.study.model.access import Access
from autoresearch.study.model.client import Client
from autoresearch.study.model.prices import TABLE
from autoresearch.study.storage import Database, Ledger, open_study


def main(database: str, url: str, point: str) -> None:
    def observe(seen: str) -> None:
        if seen == point:
            os.kill(os.getpid(), signal.SIGKILL)

    db = Database.open(database)
    ledger = Ledger(db, open_study(db, "night"), observe=observe)
    revision = ledger.revisions()[0]
    worker = ledger.open_lease(ledger.start_run({}))
    client = Client("claude-opus-5-5", Access(url, api_key="sk-ant-of-the-child"))
    editor = AnthropicEditor(PaidModel(client, TABLE["claude-opus-5-5"], ledger.requests, lambda: worker, None))
    briefing = Briefing("the rules", "train.py", "what was tried", "f" * 64)
    editor.propose(EditContext(revision.source, revision.sha256, briefing=briefing))


if __name__ == "__main__":
    main(*sys.argv[1:])
