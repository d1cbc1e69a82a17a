"""What files are packed, cut or encoded in is read as it was meant, or told: each file below is written by hand."""

import gzip
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from judgment_files import MEANT, PLAIN, put, ratings, triples

from judge.errors import InputError
from judge.pairs.stage import Source, stage
from judge.tables.rows import Table
from judge.tables.sniff import nameless_suffix, parts_of
from judge.words.guideline import load_guideline


def as_zip(path, **members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return path


def test_one_file_in_a_zip_is_read_and_several_are_asked_about(tmp_path):
    path = as_zip(tmp_path / "g.zip", **{"in/g.csv": PLAIN, "__MACOSX/in/._g.csv": "x", ".DS_Store": "y"})
    assert triples(ratings(path)) == MEANT
    as_zip(tmp_path / "two.zip", **{"a.csv": PLAIN, "b.csv": PLAIN})
    with pytest.raises(InputError, match="2 files"):
        Table(tmp_path / "two.zip")
    put(tmp_path / "cut.zip", path.read_bytes()[:-30])
    with pytest.raises(InputError, match="not a whole ZIP"):
        Table(tmp_path / "cut.zip")
    put(tmp_path / "g.csv", path.read_bytes())
    with pytest.raises(InputError, match="ZIP"):
        Table(tmp_path / "g.csv")


def test_parquet_in_several_files(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    rows = [{"query": q, "candidate_id": c, "grade": g} for q, c, g in MEANT]
    pq.write_table(pa.Table.from_pylist(rows[:2]), folder / "part-0.parquet")
    pq.write_table(pa.Table.from_pylist(rows[2:]).select(["grade", "query", "candidate_id"]), folder / "part-1.parquet")
    put(folder / "_SUCCESS", "")
    for path in (folder, folder / "part-*.parquet"):
        found = ratings(path)
        assert (triples(found), found.rows) == (MEANT, 3)
    (folder / "locale=us").mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / "locale=us" / "p.parquet")
    with pytest.raises(InputError, match="locale=us"):
        Table(folder)
    pq.write_table(pa.table({"query": ["a"]}), folder / "part-2.parquet")
    with pytest.raises(InputError, match=r"part-2\.parquet.*candidate_id"):
        Table(folder / "part-*.parquet")
    with pytest.raises(InputError, match="does not exist"):
        Table(tmp_path / "no-*.parquet")


def test_other_encodings_by_name(tmp_path):
    text = "query,candidate_id,grade\ncafé crème,A1,2\n“thé”,A2,0\n"
    path = put(tmp_path / "g.csv", text.encode("cp1252"))
    with pytest.raises(InputError, match="row 1") as caught:
        ratings(path)
    assert "--encoding" in caught.value.hint
    assert triples(ratings(path, encoding="cp1252")) == [("café crème", "A1", 2), ("“thé”", "A2", 0)]
    for other in ("utf-16", "utf-8-sig"):
        put(path, text.encode(other))
        assert triples(ratings(path, encoding=other)) == [("café crème", "A1", 2), ("“thé”", "A2", 0)]
    # A file that is UTF-8 is read as that: the option is for those of a command that are not.
    put(path, text)
    assert triples(ratings(path, encoding="cp1252"))[0] == ("café crème", "A1", 2)
    with pytest.raises(InputError, match="no such encoding"):
        ratings(path, encoding="rot13")
    packed = tmp_path / "g.csv.gz"
    packed.write_bytes(gzip.compress(text.encode("latin-1", "replace")))
    assert triples(ratings(packed, encoding="latin-1"))[0] == ("café crème", "A1", 2)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "iso-2022-jp"])
def test_encodings_whose_bytes_are_ascii_are_no_utf_8(tmp_path, encoding):
    query = "靴" if "jp" in encoding else "shoe"
    path = put(tmp_path / "g.csv", f"query,candidate_id,grade\n{query},A1,2\n".encode(encoding))
    assert path.read_bytes().isascii()
    assert triples(ratings(path, encoding=encoding)) == [(query, "A1", 2)]
    if "16" in encoding:
        with pytest.raises(InputError, match="is UTF-16 text") as error:
            ratings(path)
        assert f"--encoding {encoding}" in error.value.hint
    # What is plain ASCII stays so.
    assert triples(ratings(put(path, PLAIN), encoding=encoding)) == MEANT


def test_bytes_that_the_encoding_has_no_letter_for_cost_their_row(tmp_path):
    path = put(tmp_path / "g.csv", b"query,candidate_id,grade\ncaf\xe9,A1,2\nbad \x81,A2,0\n")
    found = ratings(path, encoding="cp1252", skip_bad_rows=True)
    assert (triples(found), found.set_aside) == ([("café", "A1", 2)], {"wrong_encoding": 1})


def test_products_keyed_by_locale(tmp_path):
    pairs = put(
        tmp_path / "p.csv",
        "query_id,query,candidate_id,locale\n1,lego,B1,us\n2,lego,B1,ES\n3,lego,B2,us\n4,lego,B1,jp\n",
    )
    catalogue = put(
        tmp_path / "c.csv", "candidate_id,locale,title\nB1,us,Police set\nB1,es,Comisaría\nB2,,Bricks\nB2,us,Bricks\n"
    )
    found = stage(Source(pairs, catalogue, skip_bad_rows=True), load_guideline(), tmp_path)
    rows = pq.read_table(found.path).to_pylist()
    texts = {row["query_id"]: (row["candidate"] or {}).get("title") for row in rows}
    assert texts == {"1": "Police set", "2": "Comisaría", "3": "Bricks", "4": None}
    assert found.kinds == {"not_in_catalogue": 1}
    # Without a locale in the pairs nobody can tell which text is meant.
    put(pairs, "query,candidate_id\nlego,B1\n")
    found = stage(Source(pairs, catalogue), load_guideline(), tmp_path)
    assert found.kinds == {"contested_candidate": 1, "conflicting_product": 1}
    assert "locale" in found.problems[0].fix


@pytest.mark.parametrize(
    "address", ["s3://bucket/pairs.parquet", "gs://bucket/p/*.parquet", "https://shop.example/p.csv"]
)
def test_an_address_is_refused_as_one(main, tmp_path, address):
    (tmp_path / "p.csv").write_text("query,candidate_id,title\nlamp,1,Lamp\n")
    whole = address.partition("/p")[0]
    for command in (
        ("validate", address),
        ("label", address, "--engine", "fake", "--out", "run"),
        ("plan", "p.csv", "--catalogue", address, "--engine", "fake", "--out", "run"),
        ("agree", address, "--run", "run"),
    ):
        assert whole in main(*command, code=2).err or command[0] == "agree"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["file:///data/a%20b.csv", "file:/data/a b.csv", "file://localhost/data/a%20b.csv"])
def test_the_address_of_a_file_here_is_answered_with_its_path(address):
    with pytest.raises(InputError) as raised:
        parts_of(Path(address), address)
    assert raised.value.hint.endswith(": /data/a b.csv")


PACKED = {
    "a.csv.zst": b"\x28\xb5\x2f\xfd....",
    "zstd.csv": b"\x28\xb5\x2f\xfd....",
    "a.jsonl.bz2": b"BZh91AY",
    "xz.jsonl": b"\xfd7zXZ\x00...",
    "a.tsv.lz4": b"\x04\x22\x4d\x18...",
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_packed_otherwise_is_told_with_what_unpacks_it(tmp_path, name):
    with pytest.raises(InputError) as error:
        list(Table(put(tmp_path / name, PACKED[name])).rows())
    assert "packed" in error.value.message
    assert error.value.hint.startswith("unpack")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.parquet", b"", "empty"),
        ("a.parquet", PLAIN.encode(), "no Parquet"),
        ("a.csv", b"PAR1" + bytes(9), "is Parquet"),
        ("a.txt", b"PAR1" + bytes(9), "is Parquet"),
    ],
)
def test_parquet_is_known_by_its_first_bytes(tmp_path, name, content, said):
    with pytest.raises(InputError, match=said) as error:
        Table(put(tmp_path / name, content))
    assert "name" in error.value.hint


@pytest.mark.parametrize("name", ["PAR1", "PAR1_price", "PAR1é", "BZh", "BZh9", "BZh1AY"])
@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_a_header_that_begins_with_the_letters_of_another_format_is_a_header(tmp_path, name, suffix):
    separator = "," if suffix == ".csv" else "\t"
    text = f"{name}{separator}query\n7{separator}red\n"
    (row,) = Table(put(tmp_path / f"a{suffix}", text)).rows()
    assert row.values == {name: "7", "query": "red"}


def test_what_comes_without_a_name_is_known_by_more_than_its_first_letters():
    assert nameless_suffix(b"PAR1,query\n7,red\n") == ".csv"
    assert nameless_suffix(b"PAR1\x15\x04\x15") == ".parquet"


def test_standard_input_is_told_where_it_is_not_read(main, tmp_path):
    put(tmp_path / "c.csv", "candidate_id,title\na,mug\n")
    said = main("search", "bm25", "--catalogue", "c.csv", "--queries", "-", "--out", "x.run", code=2, stdin=b"q").err
    assert "standard input" in said
