"""Which planted factor was found: one motif stands for one factor."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.genomics.confirmed import Confirmed
from zoo.genomics.enrichment import Enrichment
from zoo.genomics.jaspar import Match
from zoo.genomics.knockout import Knockout
from zoo.genomics.motifs import Motif
from zoo.genomics.planted import plant
from zoo.genomics.recovered import recovered


@pytest.fixture(scope="module")
def planted():
    return plant(20)


def result(planted, name: str, confirmed: bool = True, **qvalues: float) -> Confirmed:
    """A motif that matches the named factors' matrices."""
    by_name = {factor.name: factor.reference for factor in planted.factors}
    q = 0.001 if confirmed else 0.9
    matches = (
        Match(name, by_name[f].matrix_id, f, by_name[f].family, value, value, value, 0, 8, "+")
        for f, value in qvalues.items()
    )
    return Confirmed(
        Motif(name, np.ones((8, 4))),
        ("all heads",),
        50,
        Enrichment(name, 9, 10, 1, 10, 9.0, q, q),
        Enrichment(name, 9, 10, 9, 10, 1.0, 0.9, 0.9),  # as frequent in negatives: its place matters, say
        Knockout(name, 50, 2.0, 0.1, q, q),
        tuple(sorted(matches, key=lambda match: match.qvalue)),
    )


def found(planted, *results: Confirmed) -> dict[str, str]:
    table = recovered(planted, list(results))
    return {factor: motif for factor, motif in zip(table.factor, table["found as"], strict=True) if motif}


def test_a_mixture_of_two_factors_counts_once(planted):
    mixed = result(planted, "mixed", CEBPB=1e-4, JUND=1e-3)
    assert found(planted, mixed) == {"CEBPB": "mixed"}


def test_as_many_factors_as_possible_are_served(planted):
    mixed, pure = result(planted, "mixed", CEBPB=1e-4, JUND=1e-3), result(planted, "pure", CEBPB=1e-2)
    assert found(planted, mixed, pure) == {"CEBPB": "pure", "JUND": "mixed"}


def test_neither_the_unconfirmed_nor_the_unlike_count(planted):
    assert found(planted, result(planted, "a", confirmed=False, CTCF=1e-9), result(planted, "b", ELK1=0.06)) == {}
    assert found(planted) == {}
