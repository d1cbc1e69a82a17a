"""Labels out: clean graded training sets, qrels and sheets, each written whole, read back and accounted for."""
