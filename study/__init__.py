"""Many experiments: the command line today; studies, editors and workers build on it."""
