"""What a candidate is called, and the paths of categories, as shops write them."""

import pytest

from judge.text import candidate_name, category_path


def test_a_candidate_is_called_by_its_title_or_its_first_text():
    assert candidate_name({"brand": "Alpina", "title": "Scarf"}) == "Scarf"
    assert candidate_name({"title": "", "firma": None, "ort": "Köln", "text": "Bäcker"}) == "Köln"
    assert candidate_name({"title": None}) == candidate_name({}) == ""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Home > Kitchen >  Mugs", ("Home", "Kitchen", "Mugs")),
        ("Home &gt; Kitchen &amp; Dining", ("Home", "Kitchen & Dining")),
        ("Home&#10;ware &gt; &#x202e;Mugs", ("Home ware", "Mugs")),
        ("Default Category/Men/Tops", ("Default Category", "Men", "Tops")),
        ("/Damen/Schuhe/", ("Damen", "Schuhe")),
        ("Furniture / Beds & Headboards", ("Furniture", "Beds & Headboards")),
        ("Home|Mugs", ("Home", "Mugs")),
        ("Maison › Cuisine", ("Maison", "Cuisine")),
        ("家 > 台所 > 皿", ("家", "台所", "皿")),
        ("家/皿", ("家", "皿")),
        ("Electronics > TV/Audio", ("Electronics", "TV/Audio")),  # one sign parts a path
        ("Home > Kitchen >", ("Home", "Kitchen")),
        ("Drills 1/2", ("Drills 1/2",)),
        ("N/A", ("N/A",)),
        ("Mugs", ("Mugs",)),
        (" > ", ()),
        ("", ()),
    ],
)
def test_paths_by_hand(text, names):
    assert category_path(text) == names
