"""Which model judges or encodes, and where its files are."""
