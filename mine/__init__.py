"""Which pairs to judge next: candidates for the judge and for people, none of them a negative by rule."""
