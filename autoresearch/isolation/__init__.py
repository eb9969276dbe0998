"""A trial in a process of its own: the judge on one side, the revision's code on the other.

supervisor.py    trusted: one trial from its folder to its score, with the deadlines      (in the worker)
session.py       trusted: the conversation with one candidate
inbox.py         trusted: what the candidate has said and nobody has heard yet
messages.py      trusted: is what the candidate says what it may say?
death.py         trusted: words for a process that ended without an answer
nursery.py       trusted: the warm process, as the worker sees it
environment.py   trusted: the variables that a candidate may see
warm.py          trusted: imports everything once, then forks a candidate for each job    (a process of its own)
candidate.py     untrusted: what runs in the fork
job.py, channel.py, slate.py    what both sides share: the description of a job, the wire, the memory
"""
