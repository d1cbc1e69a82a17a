"""Chat templates of others are filled in within bounds."""

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from judge.documents import Kind, reading
from judge.errors import ModelError
from judge.words.bounds import bounded, refuse_powers

KIND = Kind("use another", ModelError)


def fill(template):
    def refuse(what):
        return KIND.damaged("template", what)

    with reading("template", KIND):
        refuse_powers(template, refuse)
        with bounded(refuse):
            return ImmutableSandboxedEnvironment().from_string(template).render(m=["a", "b"])


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(9999) %}" * 3 + "{% endfor %}" * 3,
        "{{ 9**9**9 }}",
        "{% set n = namespace(t='ab') %}{% for a in range(99) %}{% set n.t = n.t ~ n.t %}{% endfor %}",
        "{{ 'a' * 99999999999 }}",
        "{{ " + "(" * 3000,
        "{% if",
    ],
)
def test_a_template_that_does_not_end_is_one_clear_error(template, monkeypatch):
    monkeypatch.setattr("judge.words.bounds.SECONDS", 0.3)
    with pytest.raises(ModelError, match="template: is damaged"):
        fill(template)


def test_an_ordinary_template_is_filled_in():
    assert fill("{% for x in m %}{{ x ~ '**' }}{% endfor %}") == "a**b**"
