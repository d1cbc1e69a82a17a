"""What a text is made of: characters that show nothing, and whether it can be written at all."""

import re

UNSEEN = re.compile(
    r"[\s\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\u2800\u3164\ufeff"
    r"\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]+"
)
"""White space, control characters and invisible marks that reorder or hide text, in runs. Joiners and variation
selectors are none: words and emoji are spelt with them."""


def encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8: one with stray bytes or half a surrogate pair cannot."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def one_line(text: str) -> str:
    """Text without control characters, which could move a terminal's cursor, change its title or begin a line."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
