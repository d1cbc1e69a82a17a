"""Which model judges, and where its files are."""
