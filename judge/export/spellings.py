"""One query under several ids or spellings: what its rows say of each other across them."""

from typing import Any

from judge.export.chosen import Chosen
from judge.export.texts import QUERIES
from judge.notes import note
from judge.records import counted
from judge.sql import identifier
from judge.words.forms import spelling
from judge.words.normalise import keyed_by_id


def mark_better_copies(db: Any) -> None:
    """Set `has_better_copy` in the table `rows`: the same query, spelt otherwise or by another id, has a higher grade.

    Only for the same product. Rows that are left out count, too: what they say of a product is as true.
    """
    keyed_by_id(db, QUERIES, "query_words", spelling)
    db.execute("""UPDATE rows SET has_better_copy = true FROM (
            SELECT r.row, r.grade < max(r.grade) OVER (PARTITION BY s.key, r.candidate_id) AS lower
            FROM rows r JOIN (SELECT id, key FROM query_words QUALIFY count(*) OVER (PARTITION BY key) > 1) s
            ON r.query_id = s.id) found
        WHERE rows.row = found.row AND found.lower""")


def mark_firsts(chosen: Chosen) -> int:
    """Mark one row for each candidate: the first, whose texts count where rows bring several, as those of several
    locales do. Returns how many candidates have several, and says so."""
    db = chosen.db
    db.execute("""UPDATE rows SET first = row IN (
        SELECT min(row) FROM rows WHERE left_out IS NULL GROUP BY candidate_id)""")
    text = f"hash({', '.join(f'p.candidate.{identifier(name)}' for name in chosen.fields)})"
    found, example = db.execute(f"""SELECT count(*), min(candidate_id) FROM (
        SELECT r.candidate_id FROM rows r JOIN pairs p USING (position) WHERE r.left_out IS NULL
        GROUP BY r.candidate_id HAVING min({text}) <> max({text}))""").fetchone()
    if found:
        note(
            f"{counted(found, 'product')} with several texts, such as {example!r}: the corpus has the first of each, "
            "whichever was judged; for a corpus of all texts give each an id of its own"
        )
    return int(found)
