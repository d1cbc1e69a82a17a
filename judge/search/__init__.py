"""Searching a catalogue: its products, texts as vectors that are kept, the nearest of them, rankings of systems."""
