"""Fine-tune a small judge on human ratings."""
