"""Rows as a judge and as people grade them, and what an export of them says."""

import pyarrow.parquet as pq


def row(query, key, grade, sure=None, **more):
    """A row as a judge grades it, with this probability of its grade; without one, as people do."""
    rest = {} if sure is None else {"probabilities": [sure if g == grade else (1 - sure) / 2 for g in range(3)]}
    return {"query": query, "candidate_id": key, "title": f"product {key}", "grade": grade, **rest, **more}


LAMP = [row("lamp", "a", 2, 0.9), row("lamp", "b", 1, 0.8), row("lamp", "c", 0, 0.9), row("lamp", "d", 0, 0.7)]


def read(path):
    return pq.read_table(path).to_pylist()


def texts(records):
    return [tuple(text.removeprefix("product ") for text in list(record.values())[1:]) for record in records]


def labelled_pair(pair, answer, values=(0, 1, 2), fingerprint="f", **judge_config):
    """One pair's label as a record, under a `JudgeConfig` of these."""
    from judge.labelling.config import JudgeConfig
    from judge.labelling.table import Block, ScoredBlock, table
    from judge.records import Label

    row = {"row": pair.row, "query_id": pair.query_id, "candidate_id": pair.candidate_id, "skip": None}
    judged = ScoredBlock(Block([(pair, row)], []), [answer])
    return Label(**table(judged, values, fingerprint, JudgeConfig(**judge_config)).to_pylist()[0])
