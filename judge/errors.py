"""What can go wrong, and what to do next.

    JudgeError          anything the command line reports in two lines: what happened, and the fix
    ├── InputError      a file, row, field or option the user gave cannot be used
    ├── RunError        a run directory is taken, locked, of another fingerprint, or does not add up
    ├── ModelError      a judge cannot be found, loaded or asked (its labels, its context, its weights)
    ├── EngineError     an engine failed while scoring
    └── HubError        the Hub refuses, breaks off or cannot be reached

The message says what happened and where; `hint` says how to fix it, or that the same command can be run again. Every
class but the last two is for the user to fix before work starts, and ends the command with exit code 2; `EngineError`
and `HubError` end it with 1.
"""

import re


def safe(text: str) -> str:
    """A foreign message without anything like a token, a password, a signed address, or line ends."""
    text = re.sub(r"hf_\w+|Bearer \S+", "…", " ".join(text.split()))
    text = re.sub(r"(\w://)[^\s/]*@", r"\1", text)
    return re.sub(r"(https?://[^\s?]+)\?\S*", r"\1", text)


LONGEST = 4_000
"""Characters of a message; what a user's file holds can be any length."""


def _printable(text: str) -> str:
    """A message that any terminal and log can take: of bounded length, each half of a character written out."""
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def install(extra: str) -> str:
    """The command that installs an extra, from the clone: no package index holds the project."""
    return f"in the project's folder: pip install -c constraints.txt -e '.[{extra}]'"


class JudgeError(Exception):
    """Base of all errors this package raises on purpose.

    Args:
        message: What happened, with file, row and field where there is one.
        hint: What to do about it, as one sentence or command.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        self.message, self.hint = _printable(message), _printable(hint)
        super().__init__(self.message)
        if self.hint:
            self.add_note(f"fix: {self.hint}")  # in tracebacks; `str` is the message alone


class InputError(JudgeError):
    """A file, row, field or option the user gave cannot be used. Its message is one line, whatever the file holds."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(" ".join(message.split("\n")), " ".join(hint.split("\n")))


class RunError(JudgeError):
    """A run directory is taken, locked, of another fingerprint, or does not add up."""


class ModelError(JudgeError):
    """A judge cannot be found, loaded or asked."""


class EngineError(JudgeError):
    """An engine failed while scoring."""

    exit_code = 1


class HubError(JudgeError):
    """The Hub refuses, breaks off or cannot be reached. Its message is one line, whatever was answered."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(" ".join(message.split()), " ".join(hint.split()))
