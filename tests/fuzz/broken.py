"""Files generated broken, and what every reader owes to them: a value, or one clear error of ours."""

import json
import os
import signal
from contextlib import contextmanager

from hypothesis import settings
from hypothesis import strategies as st

from judge.errors import LONGEST, JudgeError

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
# The same examples each time, so that a change that lands is judged by what it changes; `make fuzz` draws new ones.
SAME = "FUZZ_EXAMPLES" not in os.environ
MANY = settings(max_examples=EXAMPLES, derandomize=SAME, database=None)
FEW = settings(max_examples=max(10, EXAMPLES // 20), derandomize=SAME, database=None)
"""For readers that take many milliseconds."""
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)
WEIRD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, 1e308, -0.0]),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["", "\x00", "\x1b[2J", "\u202e", "'; DROP TABLE labels; --", "=1+1", "nan", "1e999", "../../x"]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
BYTES = (
    *(b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b"\n\n", b'"', b"'", b",", b"\t", b"{", b"}", b"[" * 3000),
    *(b'{"a":' * 3000, b"1e999", b"NaN", b"Infinity", b"9" * 5000, b"\\ud800", b'"a":1,"a":2,', b"&a *a", b"\x1b[31m"),
)


def mangled(draw, raw):
    """Some bytes with a few of them flipped, cut, doubled, or others put in."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw)))
        end = draw(st.integers(at, min(len(raw), at + 40)))
        kind = draw(st.sampled_from(["cut", "drop", "double", "put", "flip"]))
        if kind == "cut":
            raw = raw[:at]
        elif kind == "drop":
            raw = raw[:at] + raw[end:]
        elif kind == "double":
            raw = raw[:end] + raw[at:]
        elif kind == "put":
            raw = raw[:at] + draw(st.sampled_from(BYTES)) + raw[at:]
        else:
            raw = raw[:at] + bytes(byte ^ draw(st.integers(1, 255)) for byte in raw[at : at + 2]) + raw[at + 2 :]
    return raw


def spoilt(draw, value):
    """A JSON value in which one thing is of another type, missing, or more than was."""
    value = json.loads(json.dumps(value))
    part = value
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        if isinstance(part[key], dict | list) and part[key] and draw(st.integers(0, 3)):
            part = part[key]
            continue
        kind = draw(st.sampled_from(["other", "gone", "more"]))
        if kind == "other":
            part[key] = draw(WEIRD)
        elif kind == "gone":
            del part[key]
        elif isinstance(part, dict):
            part[draw(st.text(max_size=5))] = draw(WEIRD)
        else:
            part.append(draw(WEIRD))
        break
    return value


@st.composite
def broken_json(draw, value):
    """The bytes of a JSON document that is broken somewhere, or spoilt."""
    if draw(st.booleans()):
        value = spoilt(draw, value)
    raw = json.dumps(value, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return raw if draw(st.integers(0, 2)) == 0 else mangled(draw, raw)


@st.composite
def broken_bytes(draw, raw):
    """Bytes of any file with some of them broken."""
    return mangled(draw, raw)


@contextmanager
def clear():
    """One error of ours, whose words any terminal takes, is as good as none; another error, or a hang, is a failure."""

    def hang(*_):
        raise AssertionError("does not end")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        yield
    except JudgeError as error:
        _check_words(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _check_words(error):
    assert 0 < len(error.message) <= LONGEST
    f"{error.message}{error.hint}".encode()
