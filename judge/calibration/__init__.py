"""Probabilities that mean what they say, and when to abstain."""
