"""Queries that shoppers could ask of a catalogue: made by templates or a model, accepted by rules."""
