"""A trained retriever's card, its start, and how it is published."""

import json
import shutil

import numpy as np
import pytest
from retriever_fixtures import FAST, files, trained, write_set

import relevance_judge as rj
from judge.errors import InputError, ModelError
from judge.models.encoder import find_encoder
from retriever.card import write_card
from retriever.start import find_start
from retriever.trained import Ancestor, read_trained

HOSTILE = "<script>alert(1)</script> [buy](http://bad.example) | # now"


def test_no_word_of_sellers_or_folders_is_markup_in_the_card(tiny_encoder, tmp_path):
    groups = [(HOSTILE, [(HOSTILE, HOSTILE, 2), ("b", "wool", 0)]), ("wool", [("b", "wool", 2), ("c", HOSTILE, 0)])]
    start = tmp_path / "x](http:__bad.example) <b>"
    shutil.copytree(tiny_encoder, start)
    trained(write_set(tmp_path / "set", groups), start, tmp_path / "model", epochs=1)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    for part in ("<script>", "alert", "<b>", "](http"):
        assert part not in card
    assert str(tmp_path) not in card


def test_a_lineage_that_others_wrote_is_no_markup_in_the_card(stage1):
    record = read_trained(stage1 / "model")
    theirs = Ancestor(start=HOSTILE, start_digest="`<script>" + HOSTILE, loss=HOSTILE, late=False, data="`](http:")
    card = write_card(record.model_copy(update={"lineage": (theirs,)}))
    for part in ("<script", "](http", "| #"):
        assert part not in card


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("nothing-here", "no encoder"),
        ("fake", "no weights"),
        ("tiny_base", "not an encoder"),
        ("empty", "config.json"),
    ],
)
def test_what_is_no_encoder_is_refused_before_anything_is_loaded(start, said, stage1, tiny_base, tmp_path):
    (tmp_path / "empty").mkdir()
    found = {"tiny_base": tiny_base, "empty": tmp_path / "empty"}.get(start, start)
    with pytest.raises((ModelError, InputError), match=said):
        trained(stage1 / "set", found, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_code_in_an_encoders_folder_does_not_run(tiny_encoder, tmp_path):
    from retriever.start import find_start

    folder = shutil.copytree(tiny_encoder, tmp_path / "encoder")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')", encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for kind, known in (("bert", True), ("evil", False)):
        own = {**config, "model_type": kind, "auto_map": {"AutoModel": "evil.Model", "AutoConfig": "evil.Config"}}
        (folder / "config.json").write_text(json.dumps(own), encoding="utf-8")
        if known:
            find_start(str(folder), late=False).build("cpu")
        else:
            with pytest.raises(ModelError, match="cannot be loaded"):
                find_start(str(folder), late=False).build("cpu")
    assert not (tmp_path / "ran").exists()


def test_more_layers_than_there_are_is_refused(stage1, tiny_encoder, tmp_path):
    with pytest.raises(InputError, match="has 2"):
        trained(stage1 / "set", tiny_encoder, tmp_path / "model", layers=3)
    assert not (tmp_path / "model").exists()


def test_a_training_reads_no_more_than_the_model_has_places_for(tiny_encoder, tmp_path):
    # 80 words, of which the encoder reads 32 tokens and has 64 places.
    long = " ".join(["wool lamp"] * 40)
    groups = [("wool", [("a", long, 2), ("b", "steel chair", 0)]), ("lamp", [("c", long + " b", 1), ("d", "steel", 0)])]
    record = trained(write_set(tmp_path / "set", groups), tiny_encoder, tmp_path / "model", epochs=1, tokens=4096)
    assert np.isfinite(record.losses).all()


def test_the_command_line(main, stage1, tiny_encoder, tmp_path):
    given = ["train", stage1 / "set", "--from", tiny_encoder, "--out", "model", "--layers", "0", "--epochs", "1"]
    done = main(*given, "--batch", "8", "--rate", "0.001", "--json")
    assert (done.json["steps"], done.json["config"]["layers"]) == (2, 0)
    assert done.json["config"]["learning_rate"] == 0.001
    assert "first epoch" in main(*given, "--batch", "8", "--rate", "0.001").out
    assert "seed" in main(*given, "--batch", "8", "--rate", "0.001", "--seed", "3", code=2).err
    assert main("train", tmp_path / "nothing", "--out", "other", code=2).err.startswith("error: ")


def test_from_python(stage1, tiny_encoder, tmp_path):
    keys = FAST.model_dump() | {"epochs": 1}
    found = rj.train(stage1 / "set", out=tmp_path / "model", start=tiny_encoder, config=keys)
    assert len(found.losses) == 1
    assert found.load().encode("wool").shape == (32,)
    assert "supcon" in found._repr_html_()
    with pytest.raises(InputError, match="no such key"):
        rj.train(stage1 / "set", out=tmp_path / "other", config={"epoch": 1})


def test_cosent_is_the_loss_of_sentence_transformers():
    import torch
    from sentence_transformers.sentence_transformer.losses import CoSENTLoss

    from retriever.baselines import cosent
    from retriever.supcon import UNJUDGED

    torch.manual_seed(0)
    queries, documents = (torch.nn.functional.normalize(torch.randn(6, 4), dim=1) for _ in range(2))
    labels = torch.tensor([2, 0, 1, 2, 0, 1])
    theirs = CoSENTLoss(torch.nn.Identity()).compute_loss_from_embeddings([queries, documents], labels)
    grades = torch.full((6, 6), UNJUDGED)
    grades[range(6), range(6)] = labels
    assert float(cosent(queries @ documents.T, grades)) == pytest.approx(float(theirs), rel=1e-5)


@pytest.mark.slow
def test_the_embedded_encoder_is_where_a_training_starts():
    start, texts = find_start("minilm-l6", late=False), ["red wool scarf", "Schal", "a" * 3000]
    assert start.hub == "sentence-transformers/all-MiniLM-L6-v2"
    found = start.build("cpu").encode(texts)
    assert np.allclose(found, find_encoder("minilm-l6").encode(texts), atol=1e-5)


def test_a_model_is_published_in_one_commit_with_its_card(online, main, stage1):
    given = ("push", stage1 / "model", "ann/finder", "--license", "apache-2.0", "--json")
    done = main(*given).json
    repo = online.repos["ann/finder"]
    assert repo.tags == {done["tag"]: done["commit"]}
    tree = repo.at(done["commit"]).tree
    sent = {name: online.content(entry) for name, entry in tree.items() if name != ".gitattributes"}
    ours = files(stage1 / "model")
    assert sent.pop("README.md") == ours.pop("README.md").replace(b"---\n", b"---\nlicense: apache-2.0\n", 1)
    assert sent == ours
    again = main(*given).json
    assert again == {**done, "changed": False, "time": again["time"]}
    found = rj.Retriever(stage1 / "model", read_trained(stage1 / "model"))
    assert found.push("ann/finder", license="apache-2.0").commit == done["commit"]
    assert "does not use --splits" in main(*given[:3], "--splits", "train=1", code=2).err


def test_weights_of_an_earlier_model_do_not_stay_beside_the_new_ones(online, main, stage1, tmp_path):
    model = shutil.copytree(stage1 / "model", tmp_path / "model")
    shards = ("model-00001-of-00002.safetensors", "model.safetensors.index.json")
    for name in shards:
        shutil.copy(model / "model.safetensors", model / name)
    (model / "prices.json").write_text("{}", encoding="utf-8")
    main("push", model, "ann/sharded", "--license", "apache-2.0")
    for name in (*shards, "prices.json"):
        (model / name).unlink()
    done = main("push", model, "ann/sharded", "--license", "apache-2.0", "--json").json
    left = online.repos["ann/sharded"].at(done["commit"]).tree
    assert not set(shards) & set(left)
    assert {"prices.json", "model.safetensors"} <= set(left), "what is no weights may be somebody else's"


def test_what_is_no_part_of_a_model_is_not_published(online, main, stage1, tmp_path):
    model = shutil.copytree(stage1 / "model", tmp_path / "model")
    (tmp_path / "secret.txt").write_text("a token", encoding="utf-8")
    (model / "notes.txt").symlink_to(tmp_path / "secret.txt")
    assert "notes.txt" in main("push", model, "ann/finder", code=2).err
    (model / "notes.txt").unlink()
    (model / "README.md").unlink()
    assert "README.md" in main("push", model, "ann/finder", code=2).err
    assert "ann/finder" not in online.repos
