"""The work: pairs through an engine into labels, and one label traced back."""
