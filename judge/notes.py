"""What was decided for the user without being asked, said aloud: a column of another name, a remembered option.

The command line prints notes on standard error; in Python they are warnings of the logger `relevance_judge`.
"""

import logging
from collections.abc import Sequence

from judge.text import one_line

LOG = logging.getLogger("relevance_judge")


def note(text: str) -> None:
    """Say something that is no error, and that the user may not expect."""
    LOG.warning("%s", one_line(text))


def missing_note(fields: Sequence[str]) -> str:
    """That no column brings some texts: no error of the input, and perhaps a surprise; empty where all are there."""
    fix = f"a column of another name is read with --map {fields[0]}=COLUMN" if fields else ""
    return fix and f"fields of the guideline found nowhere: {', '.join(fields)} ({fix})"
