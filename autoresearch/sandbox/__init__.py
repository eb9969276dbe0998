"""The sandbox around a candidate: what a revision's code may touch, and what it may not.

On the trusted side:
    grants.py        what is handed over: paths and devices
    rung.py          a way to build the sandbox; the best one is bubblewrap.py, the next one landlock.py
    choose.py        tries the rungs for real (bait.py, attempts.py, probe.py) and takes the first that holds
    resources.py     memory, processes, bytes: what may be used, and whether it has been exceeded
    sandbox.py       what was chosen, with what it grants
    pids.py          which process it is that bears a number in there

In the sandbox, before a line of a revision runs:
    enclosure.py     what a process does to itself: files.py (Landlock), syscalls.py (seccomp), capabilities.py
    launch.py        the same, in front of another command

A rung encloses the warm process with all of a study's folder; each of its forks encloses itself further, in the folder
of its trial. Every part fails closed: a rule that cannot be made is an error, and no sandbox is taken that has not been
seen to hold.
"""
