"""The strict library: no factor and no co-occurrence may tell the classes apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import fisher_exact
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from zoo.domain.errors import InputError
from zoo.genomics.library import FAR, JITTER, MARGIN, is_strict, plant_library
from zoo.genomics.scan import strand_scores


@pytest.fixture(scope="module")
def library():
    return plant_library(4000, seed=3)


def test_twenty_factors_ten_pairs_thirty_decoys(library):
    together = [frozenset((p.first, p.second)) for p in (*library.pairs, *library.decoy_pairs)]
    assert len(library.factors) == 20 and len(library.pairs) == 10 and len(library.decoy_pairs) == 30
    assert len(set(together)) == 40, "a decoy is none of the pairs"
    assert len({f.reference.family for f in library.factors}) == 20
    for pairs, times in ((library.pairs, 1), (library.decoy_pairs, 3)):
        members = [name for p in pairs for name in (p.first, p.second)]
        assert all(members.count(f.name) == times for f in library.factors)


def test_no_factor_and_no_pair_of_factors_is_commoner_in_one_class(library):
    labels, sites = library.sequences.labels, library.sites
    pvalues = []
    for _, mine in [*sites.groupby("name"), *sites.groupby("pair")]:
        held = [np.isin(np.flatnonzero(labels == y), mine["sequence"]).sum() for y in (1, 0)]
        half = len(labels) // 2
        pvalues.append(fisher_exact([[held[0], half - held[0]], [held[1], half - held[1]]])[1])
    assert len(pvalues) == 60 and min(pvalues) > 0.05 / 60


def test_a_positive_is_a_pair_at_its_spacing_and_a_negative_has_none(library):
    labels, sites = library.sequences.labels, library.sites
    assert set(sites["sequence"][sites.cooperates]) == set(np.flatnonzero(labels == 1))
    spacing = {pair.name: pair.spacing for pair in (*library.pairs, *library.decoy_pairs)}
    off = (sites.spacing - sites["pair"].map(spacing)).abs()
    cooperating = sites["pair"].isin([p.name for p in library.pairs])
    assert (off[~cooperating] <= JITTER).all() and (off[sites.cooperates] <= JITTER).all()
    apart = cooperating & ~sites.cooperates
    assert (off[apart] > JITTER + MARGIN).all() and sites.spacing[apart].max() <= FAR[-1] + JITTER
    strict = is_strict(library)
    assert strict[labels == 1].all() and 0.45 < strict[labels == 0].mean() < 0.55


def test_spacings_alone_do_not_tell_positives_from_strict_negatives(library):
    """Every true site is known, whose it is is not: how many gaps of what size, in boosted trees."""
    labels = library.sequences.labels
    features = np.zeros((len(labels), 14))
    for row, mine in library.sites.groupby("sequence"):
        mine = mine.sort_values("start")
        gaps = np.sort(mine.start.to_numpy()[1:] - mine.end.to_numpy()[:-1])
        counts = np.histogram(gaps, [0, 3, 6, 9, 12, 16, 20, 25, 32, 50, 300])[0]
        features[row] = [*counts, len(mine), gaps.mean(), gaps[0], gaps[1]]
    features, labels = features[is_strict(library)], labels[is_strict(library)]
    half = len(labels) // 2
    model = GradientBoostingClassifier(random_state=0).fit(features[:half], labels[:half])
    assert roc_auc_score(labels[half:], model.predict_proba(features[half:])[:, 1]) < 0.54


def test_sites_lie_as_their_pair_says(library):
    pairs = {pair.name: pair for pair in (*library.pairs, *library.decoy_pairs)}
    for _, block in library.sites.groupby(["sequence", "pair"]):
        first, second = block.sort_values("start").itertuples()
        pair = pairs[first.pair]
        assert second.start - first.end == first.spacing
        assert (first.strand == second.strand) is not pair.opposed
        read = (first, second) if first.name == pair.first else (second, first)
        assert read[0].strand == ("+" if read[0] is first else "-"), "the first factor points at the second"


def test_three_sites_in_ten_are_weak(library):
    """A strong site scores as a sample of its matrix does; a weak one less."""
    sites, codes = library.sites, library.sequences.codes
    weak = []
    for factor in library.factors:
        mine = sites[sites["name"] == factor.name]
        weights = factor.reference.motif.log_odds()
        scores = strand_scores(weights, codes[mine["sequence"]]).max(0)[np.arange(len(mine)), mine["start"]]
        expected = (factor.reference.motif.ppm * weights).sum()
        weak.append((scores < expected - 6).mean())
    assert 0.1 < np.mean(weak) < 0.4


def test_the_control_has_the_same_sequences_and_other_labels():
    told, mute = (plant_library(400, seed=1, shuffle_labels=s) for s in (False, True))
    assert (told.sequences.codes == mute.sequences.codes).all() and mute.predictive == ()
    assert not (told.sequences.labels == mute.sequences.labels).all()
    assert told.sequences.labels.sum() == mute.sequences.labels.sum()


def test_bad_sizes_are_refused():
    with pytest.raises(InputError, match="at least two"):
        plant_library(1)
    with pytest.raises(InputError, match="bases are needed"):
        plant_library(10, length=150)
