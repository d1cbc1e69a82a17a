"""A run directory: its manifest, labels, flags and decisions."""
