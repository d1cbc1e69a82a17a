"""What was decided for the user without being asked, said aloud: a column of another name, a remembered option.

The command line prints notes on standard error; in Python they are warnings of the logger `relevance_judge`.
"""

import logging

from judge.text import one_line

LOG = logging.getLogger("relevance_judge")


def note(text: str) -> None:
    """Say something that is no error, and that the user may not expect."""
    LOG.warning("%s", one_line(text))
