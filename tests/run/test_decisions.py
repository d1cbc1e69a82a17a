"""The lines of `decisions.jsonl`: what a crash cut short is passed over, what is damaged is named, nothing is lost."""

import pytest

from judge.errors import RunError
from judge.run.decisions import Decision, Decisions, Verdict

ONE = Decision(
    query_id="q}", candidate_id="ü", verdict=Verdict.KEEP, author="Ana", reason='says "[{"', time="t", source="file"
)
LINE = ONE.model_dump_json().encode()


def test_a_line_cut_short_anywhere_is_passed_over_and_the_next_one_counts(tmp_path):
    decisions = Decisions(tmp_path)
    for end in range(len(LINE)):
        decisions.path.write_bytes(LINE[:end])
        decisions.append([ONE])
        assert list(decisions) == [ONE], LINE[:end]


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"query_id":' + b"[" * 100_000,
        b"null",
        b'"text',
        b"{}",
        LINE[:-1] + b"x}",
        LINE + b"}",
        LINE + LINE[:20],
        LINE.replace(b":", b"=", 1),
        b"\0" * 20,
        LINE.replace("ü".encode(), b"\xff"),
    ],
    ids=["deep", "deep-inside", "null", "text", "empty", "letter", "brace", "two", "sign", "zeros", "bytes"],
)
def test_a_damaged_line_is_named(tmp_path, line):
    decisions = Decisions(tmp_path)
    decisions.append([ONE])
    with decisions.path.open("ab") as stream:
        stream.write(line + b"\n")
    decisions.append([ONE])
    with pytest.raises(RunError, match=r"decisions\.jsonl, line 2: is damaged"):
        list(decisions)


def test_the_last_word_that_is_no_opinion_counts_and_settles_unless_it_is_unsure(tmp_path):
    decisions = Decisions(tmp_path)
    change = {"verdict": Verdict.CHANGE, "grade": 2}
    said = [("a", {}), ("a", change), ("b", change), ("b", {"verdict": Verdict.UNSURE}), ("c", {"source": "judge"})]
    said += [("a", {"verdict": Verdict.OPINION, "grade": 0, "source": "judge"})]
    decisions.append([ONE.model_copy(update={"candidate_id": name, **more}) for name, more in said])
    # The opinion on `a` comes last and does not count; a judge that kept the label of `c` only gave its opinion.
    assert {key: d.verdict for (_, key), d in decisions.latest().items()} == {"a": "change", "b": "unsure"}
    assert [key for _, key in decisions.settled()] == ["a"]
    assert {key: d.given for (_, key), d in decisions.opinions().items()} == {"a": 0, "c": None}
