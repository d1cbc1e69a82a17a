"""Keys of the configuration, by the names of today and by those that saved configurations have."""

import pytest

import relevance_judge as rj
from finetune.config import load_config
from judge.errors import InputError
from judge.settings import as_yaml
from relevance_judge.training import _config


def test_a_saved_configuration_with_earlier_names_is_read(tmp_path):
    path = tmp_path / "lora.yaml"
    path.write_text("warm_pairs: 1600\nhostile: 0.2\nrespelt: 0.3\nepochs: 2\n")
    found = load_config(path)
    assert (found.synthetic_pairs, found.adversarial, found.query_noise, found.epochs) == (1600, 0.2, 0.3, 2)
    assert found.changed(hostile=0).adversarial == 0
    path.write_text(as_yaml(found))
    assert "hostile" not in path.read_text()
    assert load_config(path) == found


def test_a_key_under_both_names_is_refused(tmp_path):
    path = tmp_path / "lora.yaml"
    path.write_text("hostile: 0.2\nadversarial: 0.1\n")
    with pytest.raises(InputError, match="hostile: is the earlier name of adversarial"):
        load_config(path)


def test_fields_of_the_users_file_take_the_place_of_those_of_the_judge_gone_on_from(tmp_path):
    path = tmp_path / "lora.yaml"
    below = {"fields": {"title": 32, "brand": 6}, "candidate_tokens": 46}
    path.write_text("fields: {title: 40}\n")
    found = load_config(path, below)
    assert (dict(found.fields), found.candidate_tokens) == ({"title": 40}, 46)
    path.write_text("fields: {}\n")
    assert not load_config(path, below).fields, "all of the guideline's"
    assert _config({"fields": {"title": 40}}, below).fields == {"title": 40}, "as from Python"


def test_python_takes_both_names_as_well():
    assert _config({"warm_pairs": 5}, {}).synthetic_pairs == _config({"synthetic_pairs": 5}, {}).synthetic_pairs == 5
    with pytest.raises(rj.InputError, match="no such key"):
        _config({"warm": 5}, {})


def test_the_shipped_judges_configuration_is_read():
    from judge.models.shipped import SHIPPED, shipped_directory

    found = load_config(shipped_directory(SHIPPED) / "lora.yaml")
    assert (found.synthetic_pairs, found.adversarial, found.query_noise) == (1600, 0.2, 0.15)
