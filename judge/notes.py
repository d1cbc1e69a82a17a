"""What was decided for the user without being asked, said aloud: a column of another name, a remembered option.

The command line prints notes on standard error; in Python they are warnings of the logger `relevance_judge`.
"""

import logging
import shlex
from collections.abc import Sequence

from judge.text import one_line

LOG = logging.getLogger("relevance_judge")


def note(text: str) -> None:
    """Say something that is no error, and that the user may not expect."""
    LOG.warning("%s", one_line(text))


def missing_note(fields: Sequence[str], likely: str | None = None) -> str:
    """That no column brings some texts: no error of the input, and perhaps a surprise; empty where all are there.

    `likely` is the column that may be meant for the first of them.
    """
    if not fields:
        return ""
    given = shlex.quote(f"{fields[0]}={likely or 'COLUMN'}")
    fix = f"a column of another name is read with --map {given}"
    what = "no title is read; " if "title" in fields else ""
    return f"{what}fields of the guideline found nowhere: {', '.join(fields)} ({fix})"
