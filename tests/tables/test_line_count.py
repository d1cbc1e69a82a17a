"""The independent count of lines."""

import gzip
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from judge.tables.line_count import CountedBytes, LineCounter, Lines, open_bytes


def counted_in(pieces):
    counter = LineCounter()
    for piece in pieces:
        counter.update(piece)
    return counter.finish()


@pytest.mark.parametrize(
    ("data", "expected"),
    [  # total, empty, filled
        (b"", Lines(0, 0, 0)),
        (b"a", Lines(1, 0, 1)),
        (b"a\n", Lines(1, 0, 1)),
        (b"a\nb", Lines(2, 0, 2)),
        (b"a\r\nb\nc\rd\r\n", Lines(4, 0, 4)),
        # A lone CR, and then a line of its own that CRLF ends.
        (b"a\r\r\nb\r", Lines(3, 1, 2)),
        (b"\n\r\r\n", Lines(3, 3, 0)),
        # Space, tab, VT and FF are blank; NUL and a no-break space are text.
        (b"a\n \t\n\v\f\r\n\x00\n\xc2\xa0\n\n", Lines(6, 1, 3)),
        (b"a\n  ", Lines(2, 0, 1)),
        # A byte order mark is not text, at the beginning alone.
        (b"\xef\xbb\xbf", Lines(0, 0, 0)),
        (b"\xef\xbb\xbf\n\xef\xbb\xbf\n", Lines(2, 1, 1)),
        (b"\xef\xbb\xbf \na\n", Lines(2, 0, 1)),
        # The first two bytes of a mark, and no third.
        (b"\xef\xbb", Lines(1, 0, 1)),
        # A quote means nothing here.
        (b'"a\nb"\n', Lines(2, 0, 2)),
    ],
)
def test_lines_counted_by_hand(data, expected):
    assert counted_in([data]) == expected
    assert counted_in(data[at : at + 1] for at in range(len(data))) == expected


def oracle(data):
    """The same, a line at a time."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    lines = re.split(rb"\r\n|\r|\n", data)
    lines = lines if lines[-1] else lines[:-1]
    return Lines(
        total=len(lines),
        empty=sum(not line for line in lines),
        filled=sum(bool(line.strip(b" \t\v\f")) for line in lines),
    )


PIECE = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b"\t", b"a", b"\xef", b"\xbb", b"\xbf", b"\0"]))


@given(st.lists(PIECE.map(b"".join)))
@example([b"a\r", b"\nb"])
@example([b" ", b"\r", b"\n"])
@example([b"\xef\xbb", b"\xbf\r", b"\n"])
def test_the_count_is_that_of_a_naive_reader_wherever_the_bytes_are_cut(pieces):
    assert counted_in(pieces) == oracle(b"".join(pieces))


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_longer_than_one_read(tmp_path, monkeypatch, zipped):
    monkeypatch.setattr("judge.tables.line_count.CHUNK", 7)
    data = b"\xef\xbb\xbfquery,id\r\n" + b"lamp,1\n\r\n" * 500 + b"last,2"
    path = tmp_path / "lines"
    path.write_bytes(gzip.compress(data) if zipped else data)
    # A header, 500 rows each with an empty line after it, and a row without an end.
    with CountedBytes(open_bytes(path, zipped)) as stream:
        assert stream.finish() == Lines(total=1002, empty=500, filled=502)


def test_gzip_that_is_cut_short_is_no_count(tmp_path):
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(b"lamp\n" * 9000)[:-9])
    with CountedBytes(open_bytes(path, zipped=True)) as stream, pytest.raises(EOFError):
        stream.finish()
