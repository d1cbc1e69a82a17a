"""Pairs in: read, joined with a catalogue, checked, and laid down in judging order."""
