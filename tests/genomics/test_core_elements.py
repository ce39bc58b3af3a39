"""The initiator at the TSS: an element that is everywhere, but not everywhere as often."""

from __future__ import annotations

import numpy as np
import pytest

from tests.genomics.planting import markov, sample_sites
from zoo.genomics.core_elements import WINDOW, CoreElements, element_sites, placed_elements
from zoo.genomics.element_spacing import element_spacings, spacing_lines
from zoo.genomics.jaspar import load_jaspar
from zoo.genomics.motifs import UNIFORM

TSS = 100


@pytest.fixture(scope="module")
def references():
    return [r for r in load_jaspar("JASPAR2020", "POLII", None) if r.name in ("INR", "CCAAT-box", "GC-box")]


def table(references, positive, negative, evidence):
    here, there = (element_sites(references, codes, UNIFORM) for codes in (positive, negative))
    names = [r.name for r in references]
    return placed_elements(names, here, there, len(positive), len(negative), positive.shape[1], evidence)


def test_a_planted_initiator_is_placed_and_its_evidence_seen(references):
    rng = np.random.default_rng(0)
    positive, negative = markov(400, 150, rng), markov(400, 150, rng)
    inr = next(r.motif for r in references if r.name == "INR")
    positive[:200, TSS - 4 : TSS + 4] = sample_sites(inr.ppm, 200, rng)
    evidence = np.zeros(positive.shape)
    evidence[:, TSS - 4 : TSS + 4] = 1
    found = table(references, positive, negative, evidence)
    first = found.iloc[0]
    assert first.element == "INR" and first.q < 0.01 and (found.q[1:] > 0.05).all()
    assert first["from base"] <= TSS < first["from base"] + WINDOW == first["to base"]
    assert first["evidence there / anywhere"] > 3
    turned = table(references, 3 - positive[:, ::-1], 3 - negative[:, ::-1], evidence)
    assert (turned.q > 0.05).all()  # on the other strand it is no initiator


def core(references, positive, negative) -> CoreElements:
    sites = [element_sites(references, codes, UNIFORM) for codes in (positive, negative)]
    return CoreElements(
        table(references, positive, negative, np.ones(positive.shape)), *sites, (len(positive), len(negative))
    )


@pytest.mark.parametrize("together", [True, False])
def test_the_spacing_of_two_elements_and_who_has_both(references, together):
    """Written in the same 150 sequences, or each in 150 of its own: then hardly any has both."""
    rng = np.random.default_rng(2)
    positive, negative = markov(400, 150, rng), markov(400, 150, rng)
    inr, box = (next(r.motif for r in references if r.name == name) for name in ("INR", "CCAAT-box"))
    positive[:150, TSS - 4 : TSS - 4 + len(inr)] = sample_sites(inr.ppm, 150, rng)
    other = slice(0, 150) if together else slice(150, 300)
    positive[other, TSS - 70 : TSS - 70 + len(box)] = sample_sites(box.ppm, 150, rng)
    found = element_spacings(core(references, positive, negative))
    (row,) = found[(found.element == "CCAAT-box") & (found.then == "INR")].to_dict("records")
    if together:
        assert row["start to start"] == 66 and row["at it"] > 0.7 and row["together q"] < 1e-6
        assert row["in positives"] > 0.2 and row["in negatives"] < 0.1
        (line,) = spacing_lines(found)
        assert "CCAAT-box and INR: 66 bases" in line and "more often than if indifferent" in line
    else:
        assert row["in positives"] < 0.12 and row["together q"] > 0.05


def test_elements_that_keep_places_need_not_know_of_each_other(references):
    """Each written at its place in 150 sequences drawn by lot."""
    rng = np.random.default_rng(3)
    positive, negative = markov(400, 150, rng), markov(400, 150, rng)
    for name, at in (("INR", TSS - 4), ("CCAAT-box", TSS - 70)):
        motif = next(r.motif for r in references if r.name == name)
        rows = rng.permutation(400)[:150]
        positive[rows, at : at + len(motif)] = sample_sites(motif.ppm, 150, rng)
    found = element_spacings(core(references, positive, negative))
    (row,) = found[(found.element == "CCAAT-box") & (found.then == "INR")].to_dict("records")
    assert row["start to start"] == 66 and row["together q"] > 0.05


def test_without_two_elements_there_is_no_spacing(references):
    rng = np.random.default_rng(1)
    assert element_spacings(core(references, markov(400, 150, rng), markov(400, 150, rng))).empty


def test_nothing_is_placed_where_nothing_is(references):
    rng = np.random.default_rng(1)
    positive, negative = markov(400, 150, rng), markov(400, 150, rng)
    assert (table(references, positive, negative, np.ones(positive.shape)).q > 0.05).all()
