"""`python -m autoresearch.study.cli`: the command line, for the processes that it starts itself."""

from . import main

main()
