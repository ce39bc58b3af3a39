import re
from pathlib import Path

import pytest

from tests.realdata import real
from zoo.domain import cards
from zoo.domain.cards import all_cards, load_card, read_card
from zoo.domain.errors import InputError
from zoo.genomics.reading import read_sequences

GOOD = (cards.cards_dir() / "gue-mouse-jund.yaml").read_text()


def test_every_card_is_pinned_and_credited():
    shipped = all_cards()
    assert {"gue-prom300-tata", "gue-mouse-jund", "chip-ctcf-gm12878", "ecoli-sigma70"} <= {c.name for c in shipped}
    for card in shipped:
        assert re.fullmatch(r"[0-9a-f]{40}", card.commit)
        assert all(card.commit in file.url for file in card.files)
        assert card.title and card.licence and card.citation and card.traps
        assert card.splits or card.domain in (
            "proteins",
            "graphs",
            "vision",
        )  # no such files
        assert card.bytes == sum(file.bytes for file in card.files) > 0


def test_a_wrong_name_is_answered_with_the_right_one():
    with pytest.raises(InputError, match="did you mean 'gue-prom300-tata'"):
        load_card("gue-prom-tata")
    with pytest.raises(InputError, match=r"there are: .*ecoli-sigma70"):
        load_card("zzz")
    with pytest.raises(InputError):
        load_card("../datasets/ecoli-sigma70")


def test_the_cards_of_a_wheel_come_first(tmp_path, monkeypatch):
    package = tmp_path / "zoo"
    (package / "domain").mkdir(parents=True)
    monkeypatch.setattr(cards, "__file__", str(package / "domain" / "cards.py"))
    assert cards.cards_dir() == tmp_path / "datasets"
    (package / "_datasets").mkdir()
    assert cards.cards_dir() == package / "_datasets"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("name: gue-mouse-jund", "name: other", "its name is 'other'"),
        ("path: train.csv", "path: ../train.csv", "leaves the set's folder"),
        ("path: train.csv", "path: /train.csv", "leaves the set's folder"),
        ("mirror: genomics/", "mirror: ../genomics/", "leaves the set's folder"),
        ("sha256: 2", "sha256: 2z", "not 64 hexadecimal"),
        ("url: https:", "url: file:", "not an http"),
        ("train: train.csv", "train: tain.csv", "names? files it does not list"),
        ("licence:", "license:", "cannot be read"),
        ("files:", "files: [", "cannot be read"),
    ],
)
def test_a_malformed_card_says_what_is_wrong(tmp_path, old, new, complaint):
    path = tmp_path / "gue-mouse-jund.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputError, match=complaint) as caught:
        read_card(path)
    assert "\n" not in str(caught.value)


def test_an_empty_card_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text("")
    with pytest.raises(InputError, match=r"x\.yaml cannot be read"):
        read_card(tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("gue-prom300-tata", {"train": 4904, "validation": 613, "test": 613}),
        ("gue-mouse-jund", {"train": 2620, "validation": 328, "test": 328}),
        ("chip-ctcf-gm12878", {"positives": 500}),
        ("ecoli-sigma70", {"positives": 1694, "negatives": 2860}),
    ],
)
def test_the_splits_hold_what_upstream_says(name, sizes):
    card = load_card(name)
    folder: Path = real(card.mirror)
    assert {role: len(read_sequences(folder / path)) for role, path in card.splits.items()} == sizes


def test_a_list_beside_the_card_is_pinned(tmp_path):
    listed = load_card("clothing-small")
    assert len(listed.files) == 620 and listed.files[0].url.startswith("https://raw.githubusercontent.com/")
    for name in ("clothing-small.yaml", "clothing-small.csv"):
        (tmp_path / name).write_bytes((cards.cards_dir() / name).read_bytes())
    assert read_card(tmp_path / "clothing-small.yaml") == listed
    with (tmp_path / "clothing-small.csv").open("a") as stream:
        stream.write("more.jpg,more.jpg,1," + 64 * "0" + "\n")
    with pytest.raises(InputError, match="not the list that the card names"):
        read_card(tmp_path / "clothing-small.yaml")
