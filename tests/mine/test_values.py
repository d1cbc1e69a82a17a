"""Values out of texts, by hand: units, spellings, what is unwanted, columns by name, and words that titles exchange."""

import pytest

from judge.search.catalogue import Catalogue, Product
from mine.attributes import learn
from mine.values import column_facet, column_values, forms, measures, unwanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("kettle 0.5 l", {"capacity": {"500ml"}}),
        ("Kessel 0,5 Liter", {"capacity": {"500ml"}}),
        ("500ml bottle", {"capacity": {"500ml"}}),
        ("чайник 1,7 л", {"capacity": {"1700ml"}}),
        ("6 inch pan", {"size": {"152.4mm"}}),
        ('15.6" laptop bag', {"size": {"396.2mm"}}),
        ("iPhone 128 GB", {"capacity": {"128gb"}}),
        ("boots size EU 39", {"size": {"39", "eu39"}}),
        ("shirt XL", {"size": {"xl"}}),
        ("HDMI 2.0 cable", {}),
        ("5.5.5 version", {}),
    ],
)
def test_measures_come_in_base_units(text, wanted):
    assert measures(text) == wanted


@pytest.mark.parametrize(
    ("query", "absent"),
    [
        ("nut-free granola", ["nut"]),
        ("gluten free pasta without egg", ["egg", "gluten"]),
        ("ohne Zucker", ["zucker"]),
        ("glutenfreies Müsli", ["gluten"]),
        ("шапка без подкладки", ["подкладки"]),
        ("ウールなし マフラー", ["ウール"]),
        ("hands free kit", []),
        ("freezer", []),
        ("no 5 perfume", []),
    ],
)
def test_what_a_query_wants_to_be_absent_is_kept_apart(query, absent):
    assert sorted(unwanted(query)[0]) == absent


def test_what_is_ruled_out_is_no_category_or_value_that_is_asked_for():
    shop = [
        ("Oils", "Olive oil"),
        ("Spreads", "Peanut butter, red lid"),
        ("Laces", "Flat laces"),
        ("Shoes", "Red shoes"),
    ]
    products = [Product(str(n), {"title": title, "category": leaf}, {}) for n, (leaf, title) in enumerate(shop)]
    found = learn(Catalogue("c", products, len(products)))
    meant = found.understand("peanut butter without palm oil", ["Spreads"])
    assert (meant.leaves, meant.leaf_from, meant.unwanted) == (("Spreads",), "relevant", ("palm",))
    assert found.understand("shoes without laces").leaves == ("shoes",)
    assert found.understand("shoes without thick red laces for men").wanted == {"audience": frozenset({"men"})}
    assert found.understand("laces").leaves == ("laces",)


@pytest.mark.parametrize(
    ("column", "facet"),
    [
        ("colour", "colour"),
        ("Color", "colour"),
        ("attr_t_product_colour", "colour"),
        ("supplier", "brand"),
        ("größe", "size"),
        ("attr_t_brand_compatibility", None),
        ("attr_t_backlight_colour", None),
        ("attr_t_connector_gender", None),
        ("title", None),
        ("", None),
    ],
)
def test_a_column_holds_a_facet_by_its_whole_name(column, facet):
    assert column_facet(column) == facet


def test_cells_hold_several_values_under_one_spelling():
    assert column_values("colour", "navy blue / White") == {"blue", "white"}
    assert column_values("colour", "красная") == column_values("colour", "Rouge") == {"red"}
    assert column_values("colour", "moon dust") == {"moon dust"}
    assert column_values("size", "EU 39, EU 40") == {"39", "eu39", "40", "eu40"}
    assert column_values("audience", "Women's") == {"women"}
    assert forms("赤いマフラー") == ["赤い", "マフラー"]


def test_words_that_titles_exchange_are_of_one_kind():
    # "red" and "petrol" stand in one place of two otherwise equal titles, twice; "deluxe" only once.
    titles = ["mug red small", "mug petrol small", "bowl red small", "bowl petrol small", "mug deluxe small"]
    catalogue = Catalogue("c", [Product(str(n), {"title": t, "category": "Mugs"}, {}) for n, t in enumerate(titles)], 5)
    learned = learn(catalogue).learned["colour"]
    assert learned["petrol"] == "petrol"
    assert "deluxe" not in learned
    assert learn(catalogue).understand("petrol mug").wanted == {"colour": frozenset({"petrol"})}


@pytest.mark.parametrize(("query", "leaf"), [("scarf for winter", "Scarves"), ("winter battery", "Batteries")])
def test_a_word_that_names_the_category_is_understood_in_the_singular_too(query, leaf):
    meant = learn(Catalogue("c", [Product("p", {"title": "Alpina", "category": leaf}, {})], 1)).understand(query)
    assert meant.leaves == (leaf.casefold(),)
    assert {"scarf", "battery"}.isdisjoint(meant.rest)
    assert "winter" in meant.rest
