"""Three judgments as files of ratings, and what every reader has to make of them."""

from hypothesis import strategies as st

from judge.pairs.stage import Source
from judge.ratings.layout import RatingsLayout
from judge.ratings.rated import RatingsFile, read_rated
from judge.ratings.reader import read_ratings

GRADES = {"0": 0, "1": 1, "2": 2}
VALUES = (0, 1, 2)
cell = st.sampled_from(["0", "1", "2", "", "?", " 2 "])
row = st.tuples(st.sampled_from(["lamp", "sofa", ""]), st.sampled_from(["p1", "p2"]), cell, cell)
# Three judgments, and what each reader has to make of them.
MEANT = [("red shoe", "A1", 2), ("red shoe", "A2", 0), ("blue hat", "B1", 1)]
PLAIN = "query,candidate_id,grade\nred shoe,A1,2\nred shoe,A2,0\nblue hat,B1,1\n"


def put(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def as_rated(path, guideline, tmp_path, **more):
    """The pairs of a file of ratings as a fine-tuning reads them."""
    raters = more.pop("raters", ())
    return read_rated(RatingsFile(Source(path, grades=GRADES, **more), raters), guideline, tmp_path).rated


def ratings(path, **layout):
    return read_ratings(path, RatingsLayout(**{"grades": GRADES, **layout}), VALUES)


def triples(found):
    return [(rating.query or rating.query_id, rating.candidate_id, rating.grade) for rating in found]
