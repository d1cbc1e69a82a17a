"""Query-candidate pairs in, labels that can be trusted out: the Python API, and the command line in `cli`."""
