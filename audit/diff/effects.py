"""What a change of labels does to exports, counted from the grades by query without writing any."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Effect:
    """Records that can be made of each version: `after` is `before` plus `added` less `removed`."""

    export: str
    """What is counted: graded rows, qrels lines, scored pairs, triplets by kind."""
    before: int
    after: int
    added: int
    """In B alone. A record whose grade changed is removed and added."""
    removed: int


# Records that both versions make: the same pairs with the same grades. A triplet stands where both its candidates do.
_COUNTS = """
    CREATE OR REPLACE TABLE counts AS
    SELECT 'a' AS side, key, grade, count(*) AS n, count(*) FILTER (length > 0) AS texts FROM a
    WHERE grade IS NOT NULL GROUP BY ALL
    UNION ALL
    SELECT 'b', key, grade, count(*), count(*) FILTER (length > 0) FROM b WHERE grade IS NOT NULL GROUP BY ALL
    UNION ALL
    SELECT 'both', a.key, a.grade, count(*), count(*) FILTER (a.length > 0 AND b.length > 0)
    FROM a JOIN b USING (key, candidate_id, grade) GROUP BY ALL"""


def effects(db: Any, values: Sequence[int]) -> list[Effect]:
    """The effects on each export, from the tables of `audit.diff.versions.open_sides`.

    Triplets are all that a query's grades allow, before the limits and the least confidence of an export; pairs and
    triplets need a candidate's text.
    """
    db.execute(_COUNTS)
    lines, texts = ({"a": 0, "b": 0, "both": 0} for _ in range(2))
    for side, n, with_text in db.execute("SELECT side, sum(n), sum(texts) FROM counts GROUP BY 1").fetchall():
        lines[side], texts[side] = int(n), int(with_text)
    kept = db.execute("SELECT count(*) FROM paired WHERE a_grade IS NOT NULL AND b_grade IS NOT NULL").fetchone()[0]
    kinds = {(high, low): {"a": 0, "b": 0, "both": 0} for high in values[::-1] for low in values if low < high}
    for side, high, low, n in db.execute("""
            SELECT h.side, h.grade, l.grade, sum(h.texts * l.texts) FROM counts h JOIN counts l USING (side, key)
            WHERE h.grade > l.grade GROUP BY ALL""").fetchall():
        kinds[high, low][side] = int(n)
    return [
        _effect("graded rows", {**lines, "both": kept}),
        _effect("qrels lines", lines),
        _effect("scored pairs", texts),
        *(_effect(f"triplets {high}>{low}", found) for (high, low), found in kinds.items()),
    ]


def _effect(export: str, n: dict[str, int]) -> Effect:
    return Effect(export, n["a"], n["b"], n["b"] - n["both"], n["a"] - n["both"])
