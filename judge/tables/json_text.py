"""A JSON document read piece by piece: an array of a million records needs the memory of one."""

import json
from collections.abc import Iterator
from typing import IO, Any

from judge.documents import NotJSON, unique
from judge.errors import InputError
from judge.tables.line_count import CHUNK
from judge.tables.lines import LIMIT
from judge.tables.sniff import LISTS, refuse_head

_DECODER = json.JSONDecoder(object_pairs_hook=unique)


class JsonText:
    """A document's text; its lines are counted as it is read.

    Raises:
        InputError: It is no JSON, is cut short, or one record of it is larger than `LIMIT`.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        self._text = ""
        self._rest = b""
        self._at = 0
        self._ended = False
        self.line = 1
        """The line that has been reached."""

    def records(self) -> Iterator[tuple[int, Any]]:
        """The records of an array, or of the list in an object, each with its line."""
        if self._peek() == "[":
            yield from self._array()
        elif self._peek() == "{":
            found = False
            for item in self._object():
                found = True
                yield item
            if not found and not self._lists:
                raise InputError(
                    f"{self._name}: holds no list of records",
                    f"give an array of objects, or one under {', '.join(LISTS)}",
                )
        else:
            raise self._broken()
        if self._peek():
            raise self._broken()

    _lists = 0

    def _object(self) -> Iterator[tuple[int, Any]]:
        self._take("{")
        while self._peek() != "}":
            key = self._value()
            if not isinstance(key, str):
                raise self._broken()
            self._take(":")
            sign = self._peek()
            if sign == "[" and key in LISTS:
                self._lists += 1
                yield from self._array()
            elif sign == "{" and key == "hits":
                yield from self._object()
            else:
                self._value()
            if self._peek() != ",":
                break
            self._take(",")
        self._take("}")

    def _array(self) -> Iterator[tuple[int, Any]]:
        self._take("[")
        while self._peek() != "]":
            line = self.line
            yield line, self._value()
            if self._peek() != ",":
                break
            self._take(",")
        self._take("]")

    def _peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if (sign := self._text[self._at]) not in " \t\r\n":
                    return sign
                self.line += sign == "\n"
                self._at += 1
            if not self._read():
                return ""

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._broken()
        self._at += 1

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self._text.rstrip()) or "Unterminated" in error.msg
                if not self._read():
                    raise self._broken(cut=cut) from None
                continue
            except NotJSON as error:
                raise InputError(
                    f"{self._name}, line {self.line}: invalid JSON ({error})", "give each key once"
                ) from None
            except (ValueError, RecursionError):
                what = "a number too long, or nested too deep"
                raise InputError(
                    f"{self._name}, line {self.line}: invalid JSON ({what})", "write it otherwise"
                ) from None
            # A number at the end of what was read may go on.
            if end < len(self._text) or not self._read():
                break
        self.line += self._text.count("\n", self._at, end)
        self._at = end
        return value

    def _read(self) -> bool:
        """Read on, as much again as is held; false at the end of the file."""
        if self._ended:
            return False
        held = self._text[self._at :]
        if len(held) > LIMIT:
            size = f"{LIMIT // 2**20} MiB"
            raise InputError(f"{self._name}, line {self.line}: a record is longer than {size}", "give it in parts")
        data = self._rest + self._stream.read(max(CHUNK, len(held)))
        self._ended = len(data) == len(self._rest)
        if not self._text and not self._at:
            refuse_head(data[:16], self._name)
            data = data.removeprefix(b"\xef\xbb\xbf")
        # A character may be cut in two; stray bytes stay, for whoever reads the record to find.
        cut = len(data) if self._ended else _whole(data)
        self._text, self._at, self._rest = held + data[:cut].decode("utf-8", "surrogateescape"), 0, data[cut:]
        return bool(data) or not self._ended

    def _broken(self, *, cut: bool = False) -> InputError:
        if cut or (self._ended and self._at >= len(self._text)):
            return InputError(f"{self._name}: ends in the middle of its JSON", "copy or write the file again")
        return InputError(f"{self._name}, line {self.line}: invalid JSON", "write one array of objects, as UTF-8")


def _whole(data: bytes) -> int:
    """Where the last character that may be cut short begins."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data)
        if byte >= 0xC0:
            return len(data) - back
    return len(data)
