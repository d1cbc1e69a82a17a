"""Each export as the library reads it that it is for."""

import csv
import json

import pytest

from judge.errors import RunError
from judge.export.formats import formats
from judge.export.selection import Negatives, Selection, read_splits
from judge.export.writing import export

SHOP = [
    {"query": query, "candidate_id": f"{kind}{number}", "title": f"{material} {kind} number {number}", "grade": grade}
    for number, query in enumerate(
        ["wool scarf", "steel kettle", "glass lamp", "oak chair", "red boots", "blue jacket"]
    )
    for kind in ("good", "fair", "poor")
    for material in [query.split()[0]]
    for grade in [{"good": 2, "fair": 1, "poor": 0}[kind]]
]
SPLITS = Selection(splits=read_splits("train=0.5,test=0.5"), negatives=Negatives(count=1))


@pytest.fixture
def run(run_of):
    return run_of(SHOP)


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    """Read files with `datasets`, without a network."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)

    def load(path, kind="parquet"):
        given = {"data_files": str(path)} if path.is_file() else {"data_dir": str(path)}
        return datasets.load_dataset(kind, cache_dir=str(tmp_path / "cache"), **given)

    return load


@pytest.mark.slow  # the libraries take long to import
@pytest.mark.filterwarnings("ignore")
def test_datasets_loads_splits_out_of_a_folder(run, tmp_path, loaded):
    done = export(run, "triplets", tmp_path / "triplets", SPLITS)
    found = loaded(tmp_path / "triplets")
    assert {split: len(rows) for split, rows in found.items()} == done.records
    assert set(done.records) == {"train", "test"}
    assert found["train"].column_names == ["anchor", "positive", "negative"]
    done = export(run, "listwise", tmp_path / "listwise", SPLITS)
    found = loaded(tmp_path / "listwise")  # the ids next to them are no split
    assert {split: len(rows) for split, rows in found.items()} == done.records
    assert found["train"].column_names == ["query", "docs", "labels"]
    export(run, "jsonl", tmp_path / "all.jsonl")
    assert len(loaded(tmp_path / "all.jsonl", "json")["train"]) == len(SHOP)


@pytest.fixture
def model():
    """An embedding of words, small enough for a test."""
    pytest.importorskip("sentence_transformers")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = sorted({word for row in SHOP for text in (row["title"], row["query"]) for word in text.split()})
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(["?", *words])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")


@pytest.mark.slow  # the libraries take long to import
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("form", "options", "losses"),
    [
        ("pairs", {}, ["CoSENTLoss", "CosineSimilarityLoss"]),
        ("triplets", {}, ["MultipleNegativesRankingLoss", "TripletLoss"]),
        ("n-tuples", {"negatives": Negatives(count=2)}, ["MultipleNegativesRankingLoss"]),
        ("margin-mse", {}, ["MarginMSELoss"]),
        ("distill", {"negatives": Negatives(count=2)}, ["DistillKLDivLoss", "MarginMSELoss"]),
    ],
)
def test_sentence_transformers_takes_a_step(run_of, tmp_path, loaded, model, form, options, losses):
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers import losses as known

    sure = [[0.9, 0.06, 0.04], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]
    judged = [{**row, "probabilities": (p := sure[row["grade"]]), "expected_grade": p[1] + 2 * p[2]} for row in SHOP]
    export(run_of(judged), form, tmp_path / "x.parquet", Selection(**options))
    rows = loaded(tmp_path / "x.parquet")["train"]
    for loss in losses:
        before = model[0].embedding.weight.detach().clone()
        settings = {"max_steps": 1, "per_device_train_batch_size": 4, "learning_rate": 0.1, "report_to": "none"}
        arguments = SentenceTransformerTrainingArguments(str(tmp_path / "out"), use_cpu=True, **settings)
        SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=rows, loss=getattr(known, loss)(model)
        ).train()
        assert not before.equal(model[0].embedding.weight), f"{loss} learnt nothing"


def test_qrels_are_what_ir_measures_reads(run, tmp_path):
    ir_measures = pytest.importorskip("ir_measures")
    export(run, "trec", tmp_path / "q.rel")
    found = {(q.query_id, q.doc_id, q.relevance) for q in ir_measures.read_trec_qrels(str(tmp_path / "q.rel"))}
    assert {(doc, grade) for _, doc, grade in found} == {(row["candidate_id"], row["grade"]) for row in SHOP}
    run_of_best = [ir_measures.ScoredDoc(query, doc, float(grade)) for query, doc, grade in found]
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "q.rel")))
    assert ir_measures.calc_aggregate([ir_measures.nDCG @ 3], qrels, run_of_best)[ir_measures.nDCG @ 3] == 1


@pytest.mark.parametrize("form", ["trec", "triplets", "listwise"])
def test_rows_without_a_query_are_left_out_and_harm_nobody(main, tmp_path, form):
    rows = "query,candidate_id,title,grade\nlamp,a,Lamp,2\n,b,Sofa,1\nlamp,c,Tent,0\n,d,Toaster,0\n"
    (tmp_path / "g.csv").write_text(rows)
    main("import", "g.csv", "--skip-bad-rows", "--out", "run")
    counts = main(
        "export", "run", "--to", form, "--out", f"out.{'rel' if form == 'trec' else 'parquet'}", "--json"
    ).json
    assert sum(counts["left_out"].values()) == 2
    assert counts["used"] == 2


def beir(folder, split):
    """As BEIR's loader reads a folder: JSON lines by `_id`, and a TSV whose header is passed over."""
    corpus, queries = {}, {}
    for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        document = json.loads(line)
        corpus[document["_id"]] = {"text": document.get("text"), "title": document.get("title")}
    for line in (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines():
        queries[json.loads(line)["_id"]] = json.loads(line)["text"]
    qrels = {}
    with (folder / "qrels" / f"{split}.tsv").open(encoding="utf-8") as stream:
        reader = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
        next(reader)
        for query, document, score in reader:
            qrels.setdefault(query, {})[document] = int(score)
    return corpus, queries, qrels


def test_beir_has_every_text_once_and_qrels_by_split(run_of, tmp_path):
    rows = [*SHOP, {"query": "wool scarf", "candidate_id": "good1", "title": "steel good number 1", "grade": 0}]
    run = run_of(rows)
    export(run, "beir", tmp_path / "whole")
    corpus, queries, qrels = beir(tmp_path / "whole", "test")
    assert len(corpus) == 18
    assert set(queries.values()) == {row["query"] for row in SHOP}
    by_text = {(queries[query], doc): grade for query, found in qrels.items() for doc, grade in found.items()}
    assert by_text == {(row["query"], row["candidate_id"]): row["grade"] for row in rows}
    assert corpus["good0"] == {"title": "wool good number 0", "text": ""}
    export(run, "beir", tmp_path / "split", SPLITS.model_copy(update={"products": "shared"}))
    train, test = (beir(tmp_path / "split", split)[2] for split in ("train", "test"))
    assert set(train) | set(test) == set(queries)
    assert not set(train) & set(test)


def test_qrels_whose_lowest_grade_counts_as_relevant_are_told_of(run_of, guideline, tmp_path, caplog):
    """trec_eval and what builds on it take a 1 as relevant, and here it is the worst grade."""
    above = [grade.model_copy(update={"value": 2 * grade.value + 1}) for grade in guideline.grades]
    policy = guideline.model_copy(update={"grades": tuple(above), "clauses": ()})
    rows = [{**row, "grade": 2 * row["grade"] + 1} for row in SHOP]
    run = run_of(rows, "above", policy=type(policy).model_validate(policy.model_dump()))
    for form in ("trec", "beir"):
        export(run, form, tmp_path / form)
        (said,) = [record.getMessage() for record in caplog.records]
        assert "the lowest grade is 1" in said
        assert "AP(rel=5)" in said
        caplog.clear()
    export(run, "judgments", tmp_path / "judgments.parquet")
    export(run_of(SHOP, "usual"), "trec", tmp_path / "usual.qrels")
    assert not caplog.records


def test_a_product_of_several_texts_is_told_of(main, tmp_path, online):
    """One id in the catalogues of two locales: BEIR and MTEB have one text for an id."""
    (tmp_path / "g.csv").write_text(
        "query_id,query,candidate_id,title,description,grade\n"
        "q1,red lamp,P1,Red lamp,x,2\nq1,red lamp,P2,Sofa,x,0\nq2,lampara roja,P1,Lampara roja,x,2\n"
    )
    main("import", "g.csv", "--out", "run")
    said = main("export", "run", "--to", "beir", "--out", "beir").err
    assert "1 product with several texts, such as 'P1'" in said
    assert beir(tmp_path / "beir", "test")[0]["P1"]["title"] == "Red lamp"
    assert not main("export", "run", "--to", "beir", "--fields", "description", "--out", "same").err
    assert "1 product with several texts" in main("push", "run", "ann/x").err
    assert "- Of 1 product with several texts" in online.read("ann/x", "README.md").decode()


@pytest.mark.parametrize(("form", "field"), [("quepid", "query"), ("beir", "candidate_id")])
def test_a_cell_longer_than_pythons_limit_is_read_back(run_of, tmp_path, form, field):
    csv.field_size_limit(131_072)  # as a process begins that has read no CSV yet
    row = {"query": "lamp", "candidate_id": "a", "title": "x", "grade": 1}
    run = run_of([row | {field: "word" * 40_000}])
    out = tmp_path / f"o{formats()[form].file_suffix}"
    export(run, form, out)
    (found,) = formats()[form].read(out)
    assert getattr(found, field) == "word" * 40_000


def test_quepid_runs_no_formula(run_of, tmp_path):
    hostile = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "'-1", 'say "hi", you', "two\nlines", "a\rb"]
    run = run_of([{"query": text, "candidate_id": text, "title": "x", "grade": 1} for text in hostile])
    export(run, "quepid", tmp_path / "q.csv")
    with (tmp_path / "q.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["query", "docid", "rating"]
    assert [row["query"] for row in rows] == [f"'{text}" for text in hostile[:5]] + hostile[5:]
    assert [row["docid"] for row in rows] == [row["query"] for row in rows]
    assert {row["rating"] for row in rows} == {"1"}


def test_opensearch_imports_ratings_as_strings(run, tmp_path):
    export(run, "opensearch", tmp_path / "o.json")
    body = json.loads((tmp_path / "o.json").read_text())
    assert set(body) == {"name", "description", "type", "judgmentRatings"}
    assert body["type"] == "IMPORT_JUDGMENT"
    found = {(q["query"], r["docId"], r["rating"]) for q in body["judgmentRatings"] for r in q["ratings"]}
    assert found == {(row["query"], row["candidate_id"], str(row["grade"])) for row in SHOP}


@pytest.mark.parametrize("form", ["quepid", "opensearch"])
def test_one_text_under_two_ids_cannot_be_known_by_text(run_of, tmp_path, form):
    rows = [{"query_id": key, "query": "lamp", "candidate_id": "a", "title": "x", "grade": 1} for key in "xy"]
    with pytest.raises(RunError, match="goes by 2 ids"):
        export(run_of(rows), form, tmp_path / "o")


@pytest.mark.parametrize(("form", "bad"), [("trec", "a b"), ("trec", "\ufeffa"), ("beir", "a\tb"), ("beir", 'a"b')])
def test_ids_that_a_format_would_tear_apart_are_refused(run_of, tmp_path, form, bad):
    run = run_of([{"query": "q", "candidate_id": bad, "title": "x", "grade": 1}])
    with pytest.raises(RunError, match=rf"{run.path}, row 1, field 'candidate_id'"):
        export(run, form, tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_label_studio_tasks_have_the_documented_shape(run, tmp_path):
    export(run, "label-studio", tmp_path / "l.json")
    tasks = json.loads((tmp_path / "l.json").read_text())
    assert len(tasks) == len(SHOP)
    titles = {row["candidate_id"]: row["title"] for row in SHOP}
    for task in tasks:
        assert set(task) == {"data", "predictions"}
        [prediction] = task["predictions"]
        [result] = prediction["result"]
        assert {"from_name", "to_name", "type", "value"} == set(result)
        assert result["value"]["choices"][0] in ("0", "1", "2")
        assert prediction["model_version"] == f"judge {run.manifest.fingerprint}", (
            "without probabilities, but no people's"
        )
        assert task["data"]["candidate"] == f"title: {titles[task['data']['candidate_id']]}"


def test_argilla_records_have_what_from_dict_takes(run_of, tmp_path):
    rows = [row | {"probabilities": [0.1, 0.1, 0.8]} if row["grade"] == 2 else row for row in SHOP]
    export(run_of(rows), "argilla", tmp_path / "a.json")
    records = json.loads((tmp_path / "a.json").read_text())
    assert len({record["id"] for record in records}) == len(SHOP)
    for record in records:
        assert set(record) == {"id", "fields", "metadata", "suggestions"}
        assert all(isinstance(text, str) for text in record["fields"].values())
        suggestion = record["suggestions"]["grade"]
        assert suggestion.get("score") == (0.8 if suggestion["value"] == "2" else None)
