"""Pairs in, labels out: reading, prompting, engines, labelling and export."""

__version__ = "0.1.1"
