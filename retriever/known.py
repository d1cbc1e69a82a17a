"""The grade of every query with every document of a step, as far as anybody gave one."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from judge.words.similar import query_groups
from retriever.groups import Document, Group
from retriever.supcon import IGNORED, UNJUDGED

Grades = npt.NDArray[np.float64]
_TEXT, _ID = "text ", "id "
"""Before what a document is known by, so that no id is taken for a text."""


class Known:
    """Grades by the words of query and document, and by the product's id.

    A document that a query's own list does not hold may be graded for it in another list: under another id or spelling
    of the query, or of the document. Where two grades contradict each other, the pair is ignored. So is a document that
    is the query's own text, and one that is no blind negative: it was graded for this query and left out of the set, or
    it is graded above the lowest grade for another form of the query, such as its plural.

    Args:
        groups: All lists of a set.
        soft: Whether to take expected grades.
    """

    def __init__(self, groups: Sequence[Group], *, soft: bool = False) -> None:
        self._by_text: dict[str, dict[str, float]] = {}
        self._by_id: dict[str, dict[str, float]] = {}
        self.contradicted = 0
        """Pairs, of query and text, that have two grades."""
        self._aside: dict[str, set[str]] = {}
        self._form = dict(zip((g.key for g in groups), query_groups([g.query for g in groups]), strict=True))
        """A query's key to what its forms have in common."""
        self._good: dict[str, set[str]] = {}
        lowest = min((document.grade for group in groups for document in group.documents), default=0)
        for group in groups:
            good = self._good.setdefault(self._form[group.key], set())
            good.update(text for d in group.documents if d.grade > lowest for text in (_TEXT + d.key, _ID + d.id))
            self._aside.setdefault(group.key, set()).update(group.aside)
            texts = self._by_text.setdefault(group.key, {})
            ids = self._by_id.setdefault(group.key, {})
            for document in group.documents:
                value = document.value(soft)
                before = texts.setdefault(document.key, value)
                if before not in (value, IGNORED):
                    self.contradicted += 1
                    texts[document.key] = IGNORED
                if ids.setdefault(document.id, value) != value:
                    ids[document.id] = IGNORED

    def grades(self, groups: Sequence[Group], documents: Sequence[Document], *, blind: bool) -> Grades:
        """Shape (queries, documents): grades, `UNJUDGED` or `IGNORED`.

        Args:
            groups: The queries.
            documents: Of all of them, each text once.
            blind: Whether a document that nobody graded for a query may be its negative; else it is ignored.
        """
        found = np.full((len(groups), len(documents)), UNJUDGED if blind else IGNORED, dtype=np.float64)
        names = [(_TEXT + document.key, _ID + document.id) for document in documents]
        for row, group in enumerate(groups):
            texts, ids, aside = self._by_text[group.key], self._by_id[group.key], self._aside[group.key]
            good = self._good[self._form[group.key]]
            for column, document in enumerate(documents):
                grade = texts.get(document.key, ids.get(document.id))
                if grade is not None:
                    found[row, column] = grade
                elif document.key == group.key or document.id in aside or not good.isdisjoint(names[column]):
                    found[row, column] = IGNORED
        return found


def distinct(groups: Iterable[Group]) -> list[Document]:
    """The documents of some lists, each text once, shortest first: documents of like length go through together."""
    found: dict[str, Document] = {}
    for group in groups:
        for document in group.documents:
            found.setdefault(document.key, document)
    return sorted(found.values(), key=lambda document: (len(document.text), document.text, document.id))
