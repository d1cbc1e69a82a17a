"""A thing that goes with what is asked for is told from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.calibration.features import Reading, measure
from judge.records import Pair
from judge.words.asked import NEXT, NOUNS, against, attached, wanted
from judge.words.overlap import SMALL
from judge.words.split import HEAD, stem, words

ACCESSORIES = [
    ("laptop", "Kensington Retractable Laptop Lock - Keyed Different"),
    ("laptops", "Laptop screen protector, 15 inch"),
    ("monitor", 'Targus 19" LCD monitor privacy filter'),
    ("flat screen tv", "Flat Screen TV floor stand (black)"),
    ("note book", "Notebook case 15.6"),
    ("notebook", "Note book sleeve"),
    ("dresses", "Dress hanger, wood"),
    ("dress", "Dresses hanger, wood"),
    ("espresso machine", "Liquid descaler for kettles and espresso machines, 500 ml"),
    ("lamp with dimmer", "Wall bracket, for a lamp"),
    ("camera", "Replaces Nikon camera battery"),
    ("TV", "Remote control compatible with LG TV"),
    ("shirt with lace", "Lace for shirts"),
]
THINGS = [
    ("laptop", "Laptop 15 inch with a bag"),
    ("laptop bag", "Laptop bag, black"),
    ("bag for laptop", "Bag for a laptop, black"),
    ("batteries", "Rechargeable battery AA"),
    ("battery", "Rechargeable batteries AA"),
    ("rechargeable batteries", "Rechargeable battery AA"),
    ("laptop cleaning", "Laptop cleaning cloth"),
    ("vacuum", "Dyson vacuum cleaner, cordless"),
    ("boots", "Winter boots lace up"),
    ("shirt", "Linen shirt long sleeve"),
    ("headphones", "Headphones case included"),
    ("mower", "Lawn mower battery powered"),
    ("soup", "Tomato soup pouch 500 g"),
    ("tote", "Canvas tote shoulder bag"),
    ("dress", "Summer dress spaghetti strap"),
    ("sd card", "Acme 32GB SD card + Adapter"),
    ("laptop stand", "Laptop stand & USB hub"),
    ("shoes men", "Red shoes for men"),
    ("monitor", "Monitor 24 stand included"),
    ("keyboard", "Keyboard and mouse cable"),
    ("keyboard", "Keyboard, cover included"),
    ("drill", "Drill bit set, for the drill; drill"),
    ("drill", "Hammer for nails"),
    ("drill", ""),
    ("!", "Case for a phone"),
    ("for", "Case for a phone"),
]


@pytest.mark.parametrize(("query", "title"), ACCESSORIES)
def test_an_accessory_has_what_is_asked_for_attached(query, title):
    assert attached(query, title)


@pytest.mark.parametrize(("query", "title"), THINGS)
def test_the_thing_itself_is_none(query, title):
    assert not attached(query, title)


text = st.lists(st.sampled_from([*"ab1,;.-", "for", "with", "case", "cases", "für", "the"]), max_size=8).map(" ".join)


@given(query=text, title=text)
def test_it_is_a_property_of_the_words_alone(query, title):
    assert attached(query, title) == attached(query.upper(), title.upper()) <= {*words(query)}


def test_what_is_ruled_out_is_not_wanted():
    assert wanted("cat treats without chicken") == "cat treats"
    assert wanted("Cups WITHOUT lids for kids") == "Cups for kids"
    assert wanted("tee w/o print and pockets") == "tee and pockets"
    assert wanted("without lids") == "without lids"
    assert wanted("cups with lids") == "cups with lids"
    assert wanted("sin city dvd") == "sin city dvd"
    assert wanted("sujetador sin aros") == "sujetador"
    assert wanted("cups (without lids)") == wanted('cups "without" lids') == wanted("cups without: lids") == "cups"
    assert wanted("cups W/O: lids (for kids)") == "cups (for kids)"
    assert wanted("") == ""


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("soil without peat", "Potting soil with peat, 20 l", True),
        ("soil without peat", "Potting soil, peat-free, 20 l", False),
        ("soil without peat", "Potting soil without peat", False),
        ("soil without peat", "Potting soil", False),
        ("soil with peat", "Potting soil with peat", False),
        ("chair without wheels", "Office chair, no wheels, with arms", False),
        ("chair without wheels", "Office chair without arms with wheels", True),
        ("lamp w/o batteries", "Lamp, battery not included", False),
        ("lamp w/o batteries", "Lamp w/ battery", True),
        ("lamp without batteries", "Lamp w/o battery", False),
        ("lamp (without batteries)", "Lamp, W/O battery, w/ cable", False),
        ("マグ without ふた", "マグカップ ふた付き", True),  # "with lid", without blanks
        ("マグ without ふた", "マグカップ ふなたな", False),
        ("tee w/o print", "Tee w/ pockets", False),  # "w/o" is no word that is ruled out
        ("lamp w/o batteries", "Lamp w/o battery", False),
        ("tee w/out pockets", "Tee W/out pockets", False),
        ("bra without wire", "Non-wire bra", False),
        ("bra without wire", "Non-slip bra, wire", True),
        ("juice without bits", "No-Bits Juice", False),
        ("cola without sugar", "Cola Zero Sugar 6x330ml", False),
        ("cola without sugar", "Zero-Sugar Cola", False),
        ("yogurt without fat", "Yogurt 0% fat", False),
        ("yogurt without fat", "Yogurt 10% fat", True),
        ("cutlery box without cutlery", "Cutlery box, bamboo", False),  # which is asked for as well
        ("mug without", "Mug without", False),
        ("mug without a lid", "A mug", False),
        ("sin city dvd", "City DVD", False),
    ],
)
def test_a_title_may_name_what_is_ruled_out(query, title, expected):
    assert against(query, title) == expected


def test_nouns_are_in_the_form_in_which_words_are_looked_for():
    assert all(stem(noun) == noun for noun in NOUNS)
    assert not NOUNS & SMALL
    assert NEXT <= NOUNS


def test_only_words_that_stand_nowhere_else_are_attached():
    assert attached("acme laptop", "Acme laptop lock") == {"acme", "laptop"}
    assert attached("acme laptop", "Laptop lock, Acme") == {"laptop"}
    assert attached("acme laptop", "Acme lock for laptops") == {"acme", "laptop"}
    assert attached("acme laptop", "Acme lock, laptop") == set()  # what is asked for is there
    assert attached("laptop acme", "Acme, lock for laptops") == set()
    assert attached("note book", "Case for a notebook") == {"note", "book"}
    assert attached("batteries", "Battery charger") == {"batterie"}
    assert attached("notebook", "Note book sleeve") == {"notebook"}
    assert attached("laptop 15 inch", "Laptop 15 inch sleeve") == {"laptop", "15", "inch"}
    assert attached("laptop", f"Case {'x ' * HEAD}, laptop lock") == set()  # beyond what is looked at


def test_a_brand_alone_asks_for_its_accessories_too():
    assert attached("acme", "Acme laptop lock", "Acme Ltd.") == set()
    assert attached("acme", "Acme lock for laptops", "Other") == {"acme"}
    assert attached("acme laptop", "Acme laptop lock", "Acme") == {"acme", "laptop"}


def test_a_copy_of_the_query_makes_no_thing_of_an_accessory():
    near = Pair(0, "q", "laptop", "c", {"title": "Laptop lock laptop"})
    found = measure(Reading(("cosine", "overlap")), [near], None, (), np.array([0.9]))
    assert found[0, 1] == 0.25


def test_words_of_an_accessory_count_in_part():
    def overlap(query, told, **texts):
        pair = Pair(0, "q", query, "c", texts)
        return measure(Reading(("overlap",), attached=told, against=told), [pair], None, ())[0, 0]

    assert overlap("laptop", 0.25, title="Laptop lock") == 0.25
    assert overlap("laptop", None, title="Laptop lock") == 1
    assert overlap("laptop", 0.25, title="Laptop") == 1
    assert overlap("laptop", 0.25, title="Lock", description="for your laptop") == 1  # of titles alone
    assert overlap("cup without lids", 0.25, title="Cup") == 1
    assert overlap("cup without lids", None, title="Cup") == pytest.approx(1 / 3)
    assert overlap("cup without lids", 0.25, title="Cup with lid") == 0.25
    lid = [Pair(0, "q", "cup without lids", "c", {"title": "Cup with lid"})]
    assert measure(Reading(("overlap",), against=None), lid, None, ()) == 1  # as calibrations from before read it
    # One of three words is missing, one in another field: (1/4 + 1) / 3.
    assert overlap("red acme laptop", 0.25, title="Laptop lock", brand="Acme") == pytest.approx(1.25 / 3)
    # Where more than a third is missing it says enough: one of two, and not three quarters less of the other.
    assert overlap("acme laptop", 0.25, title="Laptop lock") == 0.5


@pytest.mark.parametrize("title", ["Cup no lid", "Cup without lid", "Cup w/o lid", "Cup non lid"])
def test_what_a_title_says_is_lacking_makes_no_accessory_of_it(title):
    assert not attached("cups without lids", title)
    assert not attached("cup", title)
    assert attached("cup", "Cup lid")
