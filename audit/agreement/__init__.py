"""How far a judge agrees with people, and how sure we can be of that."""
