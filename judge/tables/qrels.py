"""TREC's qrels as rows: `query 0 document grade` on each line, parted by blanks or tabs, with or without a header."""

from collections.abc import Collection, Iterator

from judge.errors import InputError
from judge.records import Problem, counted
from judge.tables.file import File, Row
from judge.tables.lines import text_lines

COLUMNS = ("query_id", "iteration", "candidate_id", "grade")


class QrelsRows:
    """The rows of a file of qrels. They name queries by id, and have no words for them."""

    columns: tuple[str, ...] = COLUMNS

    def __init__(self, file: File) -> None:
        self.file = file
        self._header = False
        with file.open()[1] as stream:
            first = next(filter(str.strip, text_lines(stream, file.name)), None)
        if first is None:
            raise InputError(f"{file.name}: is empty", "give a file with a line `query 0 document grade` for each pair")
        cells = first.split()
        self._header = len(cells) in (3, 4) and not _is_number(cells[-1])

    def rows(self, wanted: Collection[str] | None = None) -> Iterator[Row | Problem]:
        """All rows in order."""
        counted_bytes, stream = self.file.open()
        with stream:
            number, filled = -1 if self._header else 0, 0
            for line, text in enumerate(text_lines(stream, self.file.name), 1):
                if not text.strip(" \t\v\f\r\n"):
                    continue
                filled, number = filled + 1, number + 1
                if not number:
                    continue
                cells = text.split()
                if len(cells) == 4:
                    yield Row(number, line, dict(zip(COLUMNS, cells, strict=True)))
                else:
                    message = f"has {counted(len(cells), 'cell')} where qrels have 4"
                    fix = "write `query 0 document grade`; ids of qrels have no blanks"
                    yield self.file.problem("ragged_row", message, fix, number, line)
            self.file.prove(filled, counted_bytes.finish().filled, "line")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
