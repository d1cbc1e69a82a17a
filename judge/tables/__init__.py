"""Files in, rows out: CSV, TSV, JSONL and Parquet, whatever columns they have."""
