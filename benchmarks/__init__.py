"""Speed and memory, compared with the usual alternatives."""
