"""What changed between two versions of labels."""
