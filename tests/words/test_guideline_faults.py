"""A guideline that somebody wrote by hand is refused once, with everything that is wrong, each with its line."""

import re

import pytest

from judge.errors import InputError
from judge.words.guideline import load_guideline

FAULTY = """\
name: My Shop
version: "1"
language: en
colour: red
question: Does it fit?
fields:
  - {name: title, tokens: many}
grades:
  - {value: 0, name: no, description: ""}
  - {value: 1, description: fits}
"""


def lines(text, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        load_guideline(str(path))
    return [int(number) for number in re.findall(r"line (\d+)", error.value.message)], error.value.message


def test_all_faults_are_said_at_once_in_the_order_of_the_file(tmp_path):
    found, message = lines(FAULTY, tmp_path)
    # 1: the name has a blank; 4: no such key; 7: tokens is no number; 10: a grade without a name.
    assert {1, 4, 7, 10} <= set(found)
    assert found == sorted(found)
    assert "colour" in message
    assert "pydantic" not in message


def test_a_field_is_told_which_names_it_can_have(tmp_path):
    text = FAULTY.replace("My Shop", "My-Shop").replace("name: title", "name: product-name")
    found = lines(text, tmp_path)[1]
    # A hyphen does for a guideline's name and not for a field's.
    assert "field 'name': must be of a to z, digits, - and _, and begin with a letter, such as my-name" in found
    assert "'fields.0.name': must be of a to z, digits and _, and begin with a letter; --map" in found


def test_a_guideline_that_holds_nothing_says_so(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("# nothing yet\n")
    with pytest.raises(InputError, match=r"mine\.yaml"):
        load_guideline(str(path))
