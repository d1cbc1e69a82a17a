"""What a step of training sees: every grade that is known, nobody as a blind negative who was judged."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from retriever_fixtures import lists, write_set

from judge.errors import InputError
from judge.export.selection import Selection
from judge.export.splits import side
from judge.export.writing import export
from retriever.config import load_config
from retriever.groups import Document, Group, read_groups
from retriever.known import Known, distinct
from retriever.steps import Steps, some
from retriever.supcon import IGNORED, UNJUDGED

CONFIG = load_config().changed(queries=4, documents=5)


def document(text, grade, key=None):
    return Document(key or text, text, text.lower(), grade)


def group(query, *documents):
    return Group(query, query, query.lower(), None, documents)


def known_grades(groups, of=None, *, blind=True):
    documents = distinct(of or groups)
    found = Known(groups).grades(of or groups, documents, blind=blind)
    return {
        (g.query, d.text): value
        for g, row in zip(of or groups, found, strict=True)
        for d, value in zip(documents, row, strict=True)
    }


def test_what_another_list_says_of_a_pair_is_known():
    lamp, chair = document("lamp", 2), document("chair", 0)
    groups = [group("light", lamp), group("Light", chair), group("seat", document("chair", 2))]
    found = known_grades(groups)
    # "light" and "Light" are one query: what one list holds is no blind negative of the other.
    assert found["light", "chair"] == found["Light", "chair"] == 0
    assert found["light", "lamp"] == found["Light", "lamp"] == 2
    assert found["seat", "lamp"] == UNJUDGED


def test_a_product_is_known_by_its_id_where_its_text_differs():
    groups = [group("light", document("lamp", 2, "p1")), group("seat", document("lamp, new text", 0, "p1"))]
    found = known_grades(groups)
    assert found["light", "lamp, new text"] == 2
    assert found["seat", "lamp"] == 0


def test_what_is_good_for_another_form_of_a_query_is_no_negative():
    lamp, chair = document("lamp", 2, "p1"), document("chair", 0)
    groups = [group("desk lights", lamp, chair), group("desk light", document("torch", 2)), group("seat", chair)]
    found = known_grades(groups)
    assert found["desk light", "lamp"] == IGNORED, "it is good for the plural"
    assert found["desk light", "chair"] == UNJUDGED, "it is bad for the plural"
    assert found["desk lights", "torch"] == IGNORED
    assert found["seat", "lamp"] == UNJUDGED
    # By its id as well: its text may be another in another list.
    other = [group("desk light", document("torch", 2)), group("seat", document("lamp, new text", 0, "p1"))]
    assert known_grades([groups[0], *other])["desk light", "lamp, new text"] == IGNORED


def test_what_was_graded_and_left_out_of_the_set_is_no_negative(run_of, tmp_path):
    # "lamp for light" is graded 2, too unsure for the set; it is there for "glow". Nobody graded "chair" for "light".
    sure = [("light", "torch", 2, 0.9), ("glow", "lamp", 2, 0.9), ("glow", "chair", 0, 0.9), ("light", "lamp", 2, 0.4)]
    rows = [
        {
            "query_id": query,
            "query": query,
            "candidate_id": key,
            "title": key,
            "grade": grade,
            "probabilities": [p if at == grade else (1 - p) / 2 for at in range(3)],
        }
        for query, key, grade, p in sure
    ]
    for least, grade in ((0.5, IGNORED), (0.0, 2)):
        out = tmp_path / f"set{least}"
        export(run_of(rows, str(least)), "listwise", out, Selection(splits={"train": 1.0}, min_confidence=least))
        groups = read_groups(out).groups
        found = known_grades(groups)
        assert found["light", "lamp"] == grade
        assert found["light", "chair"] == UNJUDGED
        assert (out / "left_out.parquet").is_file() == (least > 0)


def test_what_is_left_out_is_named_in_its_querys_split_unless_it_is_held_out_elsewhere(run_of, tmp_path):
    splits = {"train": 0.8, "test": 0.2}
    words = {list(splits)[side(word, splits)]: word for word in ("boots", "kettle", "sofa", "drill", "tent", "rug")}
    graded = [("train", "lamp", 0.9), ("train", "torch", 0.9), ("train", "glow", 0.4)]
    graded += [("test", "lamp", 0.9), ("test", "chair", 0.9), ("test", "seat", 0.4)]
    rows = [
        {
            "query_id": split,
            "query": words[split],
            "candidate_id": key,
            "title": key,
            "grade": 2,
            "probabilities": [(1 - p) / 2, (1 - p) / 2, p],
        }
        for split, key, p in graded
    ]
    run = run_of(rows, "run")
    export(run, "listwise", tmp_path / "set", Selection(splits=splits, min_confidence=0.5))
    named = pq.read_table(tmp_path / "set" / "left_out.parquet").to_pylist()
    # "lamp" is held out with the test query: a training hears nothing of it.
    assert [tuple(row.values()) for row in named] == [("test", "test", "seat"), ("train", "train", "glow")]
    for split, aside in (("train", {"glow"}), ("test", {"seat"})):
        assert [group.aside for group in read_groups(tmp_path / "set", split, least=1).groups] == [aside]
    # A set that is written anew without it leaves none behind.
    export(run, "listwise", tmp_path / "set", Selection(splits=splits), overwrite=True)
    assert not (tmp_path / "set" / "left_out.parquet").exists()


def test_a_text_stands_once_in_a_step_and_is_never_its_own_negative():
    groups = [
        group("light", document("lamp", 2, "p1"), document("LAMP", 2, "p2"), document("chair", 0)),
        group("glow", document("Lamp", 2, "p3")),
    ]
    documents = distinct(groups)
    assert [d.key for d in documents] == ["lamp", "chair"]
    found = Known(groups).grades(groups, documents, blind=True)
    assert found.tolist() == [[2, 0], [2, UNJUDGED]]


def test_a_document_that_is_the_query_itself_is_no_negative():
    found = known_grades([group("lamp", document("desk lamp", 2)), group("x", document("Lamp", 2))])
    assert found["lamp", "Lamp"] == IGNORED


def test_grades_that_contradict_each_other_are_ignored_and_counted():
    groups = [group("light", document("lamp", 2, "p1"), document("Lamp", 0, "p2"), document("chair", 0))]
    known = Known(groups)
    assert known.contradicted == 1
    assert known.grades(groups, distinct(groups), blind=True).tolist() == [[IGNORED, 0]]


def test_unjudged_documents_are_ignored_where_they_are_to_be():
    found = known_grades([group("light", document("lamp", 2)), group("seat", document("chair", 2))], blind=False)
    assert found["light", "chair"] == IGNORED


def test_expected_grades_are_taken_where_they_are_asked_for():
    soft = Document("p", "lamp", "lamp", 2, expected=1.7)
    assert Known([group("light", soft)], soft=True).grades([group("light")], [soft], blind=False).tolist() == [[1.7]]


def read(folder, **options):
    write_set(folder, lists(16))
    return read_groups(folder, **options)


def test_every_query_is_in_every_epoch_once(tmp_path):
    steps = Steps(read(tmp_path / "set").groups, CONFIG.changed(queries=5, epochs=2))
    assert len(steps) == 8
    for epoch in range(2):
        seen = [query for step in range(4) for query in steps[epoch * 4 + step].queries]
        assert sorted(seen) == sorted(group.query for group in steps.groups)
    assert [steps[at].queries for at in range(4)] != [steps[at + 4].queries for at in range(4)]


def test_a_step_follows_from_the_seed_and_its_number(tmp_path):
    groups = read(tmp_path / "set").groups
    config = CONFIG.changed(misspell=0.5)
    one, other = Steps(groups, config), Steps(groups, config)
    other[3]
    for at in (5, 0):
        assert one[at].queries == other[at].queries
        assert one[at].documents == other[at].documents
        assert np.array_equal(one[at].grades, other[at].grades)
    assert Steps(groups, config.changed(seed=1))[0].queries != one[0].queries


def test_typing_errors_leave_documents_and_grades_alone(tmp_path):
    groups = read(tmp_path / "set").groups
    plain, typed = Steps(groups, CONFIG), Steps(groups, CONFIG.changed(misspell=1.0))
    known = {group.query for group in groups}
    for at in range(len(plain)):
        assert np.array_equal(np.sort(plain[at].grades, axis=None), np.sort(typed[at].grades, axis=None))
        # "wool lamp" cannot become another word of the set.
        assert not known & set(typed[at].queries)


def test_every_grade_of_a_query_is_among_its_drawn_documents():
    import random

    many = group("q", *(document(f"d{n}", 0) for n in range(50)), document("one", 1), document("two", 2))
    for seed in range(20):
        found = some(many, 4, random.Random(seed))
        assert len(found) == 4
        assert {d.grade for d in found} == {0, 1, 2}
    assert some(many, 100, random.Random(0)) == many.documents


@pytest.mark.parametrize(
    ("options", "unused"),
    [
        ({"loss": "supcon"}, {"no document above the lowest grade": 1}),
        ({"loss": "mnrl"}, {"no document above the lowest grade": 1}),
        ({"loss": "supcon", "unjudged": "ignore"}, {"no document above the lowest grade": 1, "one grade alone": 1}),
        ({"loss": "circle"}, {"one grade alone": 2}),
        ({"loss": "cosent"}, {}),
    ],
)
def test_queries_that_teach_nothing_are_counted_by_reason(options, unused):
    groups = [
        group("both", document("a", 2), document("b", 0)),
        group("low", document("c", 0)),
        group("high", document("d", 2)),
    ]
    steps = Steps(groups, CONFIG.changed(**options))
    assert steps.unused == unused
    assert len(steps.groups) + sum(unused.values()) == 3


def test_pairs_are_counted_by_grade(tmp_path):
    found = read(tmp_path / "set")
    # 16 queries with one 2, three 1s and three 0s each.
    assert found.grades == {0: 48, 1: 48, 2: 16}
    assert found.pairs == sum(len(group.documents) for group in found.groups) == 112


def broken(folder):
    return write_set(folder, lists(2))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda f: f / "nothing", "is not the folder"),
        (lambda f: (f / "empty").mkdir() or f / "empty", "no split"),
        (lambda f: (broken(f / "s") / "rows.parquet").unlink() or f / "s", "rows.parquet"),
        (lambda f: write_without(f / "s", "labels"), "no grades"),
        (lambda f: write_set(f / "s", [("q", [("a", "text a", 1), ("b", "text b", 1)])]), "only grade 1"),
        (lambda f: write_set(f / "s", [("q", [("a", " ", 1), ("b", "text b", 0)])]), "document 1 has no text"),
        (lambda f: write_set(f / "s", [(" ", [("a", "text a", 1), ("b", "text b", 0)])]), "query is empty"),
        (lambda f: write_set(f / "s", [("q", [("a", "text a", None), ("b", "text b", 0)])]), "has no grade"),
        (lambda f: write_set(f / "s", [*lists(2), ("nothing", [])]), "row 3: has no documents"),
        (lambda f: other_kind(f / "s"), "another kind"),
        (lambda f: mixed(f / "s"), "others than those of rows.parquet"),
        (lambda f: garbage(f / "s"), "train-00000.parquet"),
        (lambda f: another_file(f / "s"), "in 2 files"),
        (lambda f: cut_short(f / "s"), "7 rows of lists"),
    ],
)
def test_a_set_that_cannot_be_used_is_refused_with_its_place(how, said, tmp_path):
    with pytest.raises(InputError, match=said) as refused:
        read_groups(how(tmp_path))
    assert refused.value.hint


def write_without(folder, column):
    import pyarrow.parquet as pq

    file = broken(folder) / "train-00000.parquet"
    pq.write_table(pq.read_table(file).drop_columns([column]), file)
    return folder


def other_kind(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = broken(folder) / "train-00000.parquet"
    pq.write_table(pa.table({"query": ["q"], "docs": ["one text"], "labels": [[1]]}), file)
    return folder


def mixed(folder):
    rows = (broken(folder) / "rows.parquet").read_bytes()
    write_set(folder, reversed(list(lists(3))))
    (folder / "rows.parquet").write_bytes(rows)
    return folder


def another_file(folder):
    (broken(folder) / "train-00001.parquet").write_bytes((folder / "train-00000.parquet").read_bytes())
    return folder


def cut_short(folder):
    import pyarrow.parquet as pq

    # Two lists of seven documents, of which the ids know both.
    file = broken(folder) / "train-00000.parquet"
    pq.write_table(pq.read_table(file).slice(0, 1), file)
    return folder


def garbage(folder):
    (broken(folder) / "train-00000.parquet").write_bytes(b"PAR1 and no more")
    return folder


def test_expected_grades_that_are_not_there_are_told(tmp_path):
    with pytest.raises(InputError, match="no expected grades"):
        read(tmp_path / "set", soft=True)


def test_soft_labels_need_a_loss_for_them():
    with pytest.raises(InputError, match="cosent"):
        load_config().changed(soft=True)
