"""How long an endpoint asks us to wait, read from the headers of its refusal."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[smhd]))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhd])")
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?")


def asked_to_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait; null where the headers do not say, or say nothing that can be read.

    `retry-after-ms` and `Retry-After` (seconds, or an HTTP date) go first; else the longest `x-ratelimit-reset-*` of
    the limits of which nothing is left (`x-ratelimit-remaining-*: 0`), written like `6m0s`, `20ms` or `12`.

    Args:
        headers: Of the answer; names without regard to case.
        now: Seconds since the epoch.
    """
    found = {name.lower(): value.strip() for name, value in headers.items()}
    if (after := _number(found.get("retry-after-ms"))) is not None:
        return after / 1000
    if (text := found.get("retry-after")) is not None and (after := _number(text)) is None:
        after = _until(text, now)
    if text is not None and after is not None:
        return after
    resets = [
        duration
        for name, left in found.items()
        if name.startswith("x-ratelimit-remaining") and _number(left) == 0
        if (duration := _duration(found.get(name.replace("remaining", "reset", 1)))) is not None
    ]
    return max(resets, default=None)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and _NUMBER.fullmatch(text) else None


def _until(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _duration(text: str | None) -> float | None:
    if text is None or not text.isascii() or not _DURATION.fullmatch(text):
        return _number(text)
    return sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text))
