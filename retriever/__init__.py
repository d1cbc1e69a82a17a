"""Proof that labels make search better: train a retriever on them, search with it, compare it with others."""
