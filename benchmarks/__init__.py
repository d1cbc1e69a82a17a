"""Speed and memory, beside what a user would otherwise pick."""
