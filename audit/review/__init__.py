"""Flagged labels in front of people and stronger judges, and their decisions back."""
