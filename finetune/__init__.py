"""Teach a small judge from human ratings."""
