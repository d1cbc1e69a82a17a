"""A ranker's features as SVMlight, LETOR and RankLib have them: they hold grades, and are no table of them."""

import re
import shlex
from pathlib import Path

from judge.errors import InputError

_FEATURES = re.compile(r"\s*[+-]?\d+(?:\.\d+)?\s+qid:\S+(\s.*)?")
"""A line of a ranker's features, `grade qid:query 1:0.5 2:3 # document`, as SVMlight, LETOR and RankLib have them."""


def refuse_features(text: str, name: str) -> None:
    """Refuse a file that begins with these lines if they are a ranker's features, with what makes qrels of them.

    Raises:
        InputError: They are.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines or not _FEATURES.fullmatch(lines[0]):
        return
    fix = "its lines name no documents: give rows of `query_id, candidate_id, grade`"
    if "#" in lines[0]:
        ids = 'd=$0; sub(/^[^#]*# */, "", d); sub(/^docid *= */, "", d); split(d, a, " ")'
        out = f"{Path(name).stem}.qrels"
        awk = f'{{q=$2; sub("qid:", "", q); {ids}; print q, 0, a[1], $1}}'
        fix = f"write its grades as qrels: `awk '/qid:.*#/ {awk}' {shlex.quote(name)} > {shlex.quote(out)}`"
    raise InputError(f"{name}: holds a ranker's features (SVMlight)", fix)
