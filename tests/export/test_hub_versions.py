"""Branches, tags and who may read: versions of one dataset."""

import subprocess
import sys

import pytest
from hub_fixtures import REPO, environment


@pytest.mark.slow
def test_a_branch_is_made_and_main_left_alone(online, push):
    first = push("--json").json
    other = push("--revision", "next", "--min-confidence", "0", "--per-query", "1", "--json").json
    assert online.repos[REPO].branches["main"] == first["commit"]
    assert online.repos[REPO].branches["next"] == other["commit"]
    assert other["configs"]["judgments"] == {"train": 3}
    assert other["tag"] != first["tag"]


@pytest.mark.slow
def test_a_tag_names_one_version_for_good(online, push):
    first = push("--tag", "v1", "--json").json
    push("--tag", "v1")  # the same data
    told = push("--tag", "v1", "--license", "mit")
    assert f"the tag stays on commit {first['commit'][:12]}" in told.out
    refused = push("--tag", "v1", "--per-query", "1", code=2)
    assert "--tag v1: names commit" in refused.err
    assert online.repos[REPO].tags == {"v1": first["commit"]}
    assert first["tagged"] == first["commit"] != online.repos[REPO].branches["main"]


@pytest.mark.slow
def test_another_card_of_the_same_data_is_another_version(online, push, tmp_path):
    first = push("--json").json
    (tmp_path / "r.csv").write_text("query,candidate_id,grade\nred scarf,p1,2\nkettle,p5,1\n")
    other = push("--ratings", "r.csv", "--json").json
    assert other["tag"] != first["tag"]
    assert online.repos[REPO].tags == {first["tag"]: first["commit"], other["tag"]: other["commit"]}
    assert other["tagged"] == other["commit"] != first["commit"]


def test_private_is_private(online, push):
    push("--private")
    assert online.repos[REPO].private


def test_what_is_wanted_private_does_not_go_where_everybody_reads(online, push):
    push()
    assert "is public, and --private was asked for" in push("--private", code=2).err


@pytest.mark.slow
def test_push_to_hub_speaks_to_the_same_server(hub, tmp_path):
    """The server is no fiction of ours: what `datasets` writes to it alone, it reads back."""
    code = (
        "from datasets import ClassLabel, Dataset, Features, Value, load_dataset\n"
        "kinds = Features({'q': Value('string'), 'label': ClassLabel(names=['no', 'yes'])})\n"
        "made = Dataset.from_dict({'q': ['a', 'b'], 'label': [0, 1]}, features=kinds)\n"
        f"for name in ('one', 'two'): made.push_to_hub('{REPO}', name)\n"
        f"found = load_dataset('{REPO}', 'two', split='train')\n"
        "print(found.features == kinds, found['q'][:], found['label'][:])\n"
    )
    here = environment(hub, tmp_path)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=here, capture_output=True, text=True)
    assert done.stdout == "True ['a', 'b'] [0, 1]\n", done.stderr
    assert len(list(hub.repos[REPO].history())) == 3, "a commit for each config, and the Hub's own"
