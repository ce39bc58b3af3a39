"""The initiator at the TSS: an element that is everywhere, but not everywhere as often."""

from __future__ import annotations

import numpy as np
import pytest

from tests.genomics.planting import markov, sample_sites
from zoo.genomics.core_elements import WINDOW, element_sites, placed_elements
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


def test_nothing_is_placed_where_nothing_is(references):
    rng = np.random.default_rng(1)
    positive, negative = markov(400, 150, rng), markov(400, 150, rng)
    assert (table(references, positive, negative, np.ones(positive.shape)).q > 0.05).all()
