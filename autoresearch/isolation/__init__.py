"""A trial in processes of its own: the judge on one side, the revision's code on the other.

One process trains and ends; its weights then answer the judge's questions in fresh ones, which have nothing else in common.

In the worker, trusted:
    supervisor.py    one trial from its folder to its score
    feeder.py        hands out the training batches; holds their order, the clock and the count
    session.py       the conversation with one candidate; every wait has a deadline (limits.py)
    inbox.py         what the candidate has said and nobody has heard yet
    messages.py      is what it says what it may say?
    death.py         words for a process that ended without an answer; log_size.py: how much it printed
    nursery.py       candidates for the asking; warm_process.py is the process they come from, seen from outside
    environment.py   the variables that a candidate may see

In the warm process, trusted:
    warm.py          imports everything once (preloaded.py), then forks a candidate for each job, and kills it

In the fork, untrusted:
    confinement.py   what it does to itself before it runs a line of a revision
    candidate.py     the job; handed.py is how the training batches come

On both sides:
    job.py, channel.py                       the description of a job, the wire
    tape.py, weights.py, slate.py            training tokens, what was learned, questions and answers: shared_memory.py
"""
