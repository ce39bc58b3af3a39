"""What is said of planted pairs: found, missed, and decoys taken for pairs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from zoo.genomics import pair_pictures, tell
from zoo.genomics.by_head import NO_HEAD
from zoo.genomics.confirmed import Confirmed
from zoo.genomics.cooperation import Cooperation
from zoo.genomics.enrichment import Enrichment
from zoo.genomics.jaspar import Match
from zoo.genomics.knockout import Knockout
from zoo.genomics.library import plant_library
from zoo.genomics.motifs import Motif
from zoo.genomics.partners import pair_headline, pair_table, recovered_pairs


@pytest.fixture(scope="module")
def planted():
    return plant_library(20)


def result(planted, motif: str, factor: str, needed: bool = True, paired: bool = False) -> Confirmed:
    reference = {f.name: f.reference for f in planted.factors}[factor]
    hit = Match(motif, reference.matrix_id, factor, reference.family, 1e-6, 1e-4, 1e-4, 0, 8, "+")
    present, lost = Enrichment(motif, 9, 10, 1, 10, 9.0, 1e-4, 1e-4), 1e-4 if needed else 0.9
    knockout = Knockout(motif, 50, 2.0, 0.1, lost, lost)
    return Confirmed(Motif(motif, np.ones((8, 4))), ("all heads",), 50, present, present, knockout, (hit,), paired)


@pytest.mark.parametrize(
    ("needed", "tells", "paired", "confirmed"),
    [(True, True, False, True), (True, False, False, False), (False, True, False, False), (False, False, True, True)],
)
def test_what_no_head_shows_must_tell_the_classes_apart_or_act_in_a_pair(planted, needed, tells, paired, confirmed):
    seen = result(planted, "1-A", planted.factors[0].name, needed, paired)
    enriched = Enrichment("1-A", 9, 10, 1, 10, 9.0, 1e-4, 1e-4 if tells else 0.9)
    assert replace(seen, enriched=enriched).confirmed is (needed or paired)
    assert replace(seen, enriched=enriched, sources=(NO_HEAD,)).confirmed is confirmed


def cooperation(*rows: tuple[str, str, str, int, float]) -> Cooperation:
    table = pd.DataFrame(rows, columns=["a", "b", "cooperates", "spacing", "epistasis"])
    table["orientation"], table["keeps a spacing"] = "A> B>", "no"
    table["at spacing"], table["at spacing, negatives"] = 0.19, 0.01
    return Cooperation(tuple({*table.a, *table.b}), table, pd.DataFrame(), {})


def test_the_motifs_that_interact_most_stand_for_a_pair(planted):
    pair, decoy = planted.pairs[0], planted.decoy_pairs[0]
    motifs = [result(planted, n, f) for n, f in (("1", pair.first), ("2", pair.second), ("1b", pair.first))]
    motifs += [result(planted, n, f) for n, f in (("3", decoy.first), ("4", decoy.second))]
    found = cooperation(("2", "1", "no", 30, 0.1), ("1b", "2", "yes", 7, 2.0), ("3", "4", "no", 9, 0.2))
    table = recovered_pairs(planted, motifs, found).set_index("pair")
    assert len(table) == 40 and (table["planted as"] == "cooperating").sum() == 10
    assert table.loc[pair.name, ["both found", "cooperates", "spacing found"]].tolist() == ["yes", "yes", 7]
    assert table.loc[decoy.name, ["both found", "cooperates", "epistasis"]].tolist() == ["yes", "no", 0.2]
    assert (table.drop([pair.name, decoy.name])["cooperates"] == "no").all()


def test_what_is_not_confirmed_stands_for_nothing(planted):
    pair = planted.pairs[0]
    motifs = [result(planted, "1", pair.first, needed=False), result(planted, "2", pair.second)]
    table = recovered_pairs(planted, motifs, cooperation(("1", "2", "yes", 7, 2.0)))
    assert (table["both found"] == "no").all() and (table["cooperates"] == "no").all()


def test_a_motif_that_is_needed_in_a_pair_alone_is_confirmed(planted):
    name = planted.factors[0].name
    assert not result(planted, "1", name, needed=False).confirmed
    assert result(planted, "1", name, needed=False, paired=True).confirmed
    assert not replace(result(planted, "1", name), asked=False).confirmed  # of a model that cannot tell the classes
    found = cooperation(("1", "2", "yes", 7, 2.0), ("1", "3", "no", 7, 0.2))
    assert found.partners == {"1", "2"}
    found.table.loc[1, "keeps a spacing"] = "places"
    assert found.partners == {"1", "2"}  # what a place explains says nothing of a partner
    found.table.loc[1, "keeps a spacing"] = "yes"
    assert found.partners == {"1", "2", "3"}


def test_the_headline_counts_and_names():
    labels = {"1": "1-TTGACA", "2": "2-TATAAT", "3": "3-CCC"}
    said = pair_headline(cooperation(("1", "2", "yes", 17, 2.0), ("1", "3", "no", 7, 0.2)), labels)
    assert said.splitlines() == [
        "1 of 2 pairs of motifs count for more together than apart:",
        "  1-TTGACA  A> B>  2-TATAAT, 17 bases apart: +2.00 logits",
    ]
    assert "none counts" in pair_headline(cooperation(("1", "3", "no", 7, 0.2)), labels)
    spaced = cooperation(("1", "2", "no", 17, 0.1))
    spaced.table["keeps a spacing"] = "yes"
    assert pair_headline(spaced, labels).splitlines()[1:] == [
        "1 of 1 pairs of motifs keep a spacing:",
        "  1-TTGACA  A> B>  2-TATAAT, 17 bases apart in 19% of positives, 1% of negatives",
    ]
    spaced.table["keeps a spacing"] = "places"
    assert pair_headline(spaced, labels).splitlines()[1] == (
        "1 of 1 pairs of motifs stand at a spacing, each at its own place:"
    )


def with_epistasis(**strengths: float) -> Cooperation:
    """Motif a beside each other one, with its interaction in 20 sequences."""
    names = ("a", *strengths)
    table = pd.DataFrame({"a": "a", "b": list(strengths), "epistasis": list(strengths.values())})
    table["cooperates"] = np.where(table.epistasis >= 0.5, "yes", "no")
    table["keeps a spacing"], table["orientation"], table["spacing"] = "no", "A> B>", 7
    noise = np.random.default_rng(0).normal(0, 0.2, 20)
    pairs = [
        pd.DataFrame(
            {"a": 0, "b": names.index(n), "way": 0, "spacing": 7, "sequence": np.arange(20), "epistasis": s + noise}
        )
        for n, s in strengths.items()
    ]
    expected = {("a", name): np.ones(51) for name in strengths}
    return Cooperation(names, table, pd.concat(pairs, ignore_index=True).assign(positive=True), expected)


def test_either_alone_would_do_is_said_of_clear_negative_interactions_alone():
    found = pair_table(with_epistasis(b=1.0, c=-1.0, d=-0.3, e=0.0))
    assert found["either alone would do"].tolist() == ["no", "yes", "no", "no"]


def test_the_network_marks_a_pair_by_what_was_found_of_it(monkeypatch):
    drawn = []
    monkeypatch.setattr(pair_pictures, "png", lambda figure: drawn.append(figure) or b"")
    table = pair_table(with_epistasis(b=1.0, c=-1.0, d=-0.3, e=0.0))
    table.loc[[0, 3], "keeps a spacing"] = ["yes", "places"]
    pair_pictures.network(table, {name: name for name in "abcdef"})
    (figure,) = drawn
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == [
        "count for more together", "either alone would do", "keep a spacing", "stand at a spacing by their places",
        "tested, nothing found",
    ]  # fmt: skip
    widths = [line.get_linewidth() for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    assert sorted(w > 1 for w in widths) == [False, False, True, True], "what was not found is thin"
    names = {text.get_text() for text in figure.axes[0].texts}
    assert names == set("abcde"), "f was in no pair"


def test_the_interaction_says_of_how_many_pairs_it_is_the_mean(monkeypatch):
    drawn = []
    monkeypatch.setattr(pair_pictures, "png", lambda figure: drawn.append(figure) or b"")
    found = with_epistasis(b=1.0)
    pair_pictures.spacings(found, found.table, {"a": "a", "b": "b"})
    count, strength = drawn[0].axes
    assert [text.get_text() for text in strength.texts if text.get_text()] == ["20"]
    assert count.get_title(loc="left").endswith("spacing 7") and strength.get_title(loc="left") == ""


def test_pairs_that_could_not_be_asked_are_said():
    nothing = Cooperation(("1-A", "2-B"), pd.DataFrame(), pd.DataFrame(), {})
    found = SimpleNamespace(together=nothing)
    assert "no two motifs stand in the same sequences often enough" in tell._pairs(found).headline
    found = SimpleNamespace(together=Cooperation(("1-A",), pd.DataFrame(), pd.DataFrame(), {}))
    assert tell._pairs(found).headline == ""
