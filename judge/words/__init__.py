"""What is said: guidelines, prompts, and when two texts are the same."""
