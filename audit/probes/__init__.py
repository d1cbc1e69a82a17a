"""Changes to a pair that must not move its grade."""
