"""How long an endpoint asks us to wait, in every way that endpoints write it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.engines.waiting import asked_to_wait

NOW = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110."""


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"Retry-After": "Sun, 06 Nov 1994 08:49:50 GMT"}, 13),
        ({"Retry-After": "Sun, 06 Nov 1994 08:00:00 GMT"}, 0),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 12),
        # The longest of the limits that are used up; what is not used up is not waited for.
        (
            {
                "X-RateLimit-Remaining-Requests": "0",
                "X-RateLimit-Reset-Requests": "1m2.5s",
                "X-RateLimit-Remaining-Tokens": "7",
                "X-RateLimit-Reset-Tokens": "1h",
            },
            62.5,
        ),
        ({"Retry-After": "soon", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2s"}, 2),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "\u0662"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "9" * 400}, None),
        ({"x-ratelimit-remaining-tokens": "0"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "s6"}, None),
        ({}, None),
    ],
)
def test_headers_are_read_as_they_are_written(headers, seconds):
    assert asked_to_wait(headers, NOW) == (None if seconds is None else pytest.approx(seconds))


@given(st.dictionaries(st.sampled_from(["Retry-After", "retry-after-ms", "x-ratelimit-reset"]), st.text()))
def test_nothing_in_a_header_breaks_reading_it(headers):
    found = asked_to_wait({**headers, "x-ratelimit-remaining": "0"}, NOW)
    assert found is None or found >= 0
