"""What may stand after `--splits` and its neighbours."""

import pytest

from judge.errors import InputError
from judge.export.selection import make_selection, read_splits


@pytest.mark.parametrize(
    "text", ["train=0.8", "train=0.8,test=0.3", "train=1,train=0", "a/b=1", "train=x,test=1", "train=-1,test=2", "=1"]
)
def test_what_is_no_split_is_refused(text):
    with pytest.raises(InputError):
        read_splits(text)


def test_splits_are_read():
    assert read_splits("train=0.9, test=0.1") == {"train": 0.9, "test": 0.1}
    assert read_splits(None) == {}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"min_confidence": 2}, ("--min-confidence 2", "from 0 to 1")),
        ({"negatives": {"min_confidence": -1}}, ("--negative-confidence -1", "from 0 to 1")),
        ({"negatives": {"count": 0}}, ("--negatives 0", "at least 1")),
        ({"splits": {"a": 2.0}}, ("--splits.a 2.0", "at most 1")),
        ({"nonsense": 1}, ("--nonsense", "--help")),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_range(given, named):
    with pytest.raises(InputError) as refused:
        make_selection(**{"negatives": {}, **given})
    assert named[0] in refused.value.message
    assert named[1] in refused.value.hint
    assert "Input" not in refused.value.message, "a library's words"
