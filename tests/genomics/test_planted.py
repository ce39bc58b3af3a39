import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zoo.domain.errors import InputError
from zoo.genomics.background import HUMAN, markov
from zoo.genomics.baselines import kmer_regression
from zoo.genomics.planted import JITTER, MARGIN, plant
from zoo.genomics.sequences import reverse_complement, take


@pytest.fixture(scope="module")
def planted():
    return plant(num_sequences=3000, seed=5)


def carriers(planted, sites, label):
    """Share of the class's sequences that hold any of these sites."""
    labels = planted.sequences.labels
    return np.isin(np.flatnonzero(labels == label), sites["sequence"]).mean()


def test_the_background_has_its_table_and_lacks_cpg():
    codes = markov(200, 500, HUMAN, np.random.default_rng(0))
    counts = np.zeros((4, 4))
    np.add.at(counts, (codes[:, :-1].ravel(), codes[:, 1:].ravel()), 1)
    assert counts / counts.sum(axis=1, keepdims=True) == pytest.approx(HUMAN, abs=0.01)
    assert HUMAN.sum(axis=1) == pytest.approx(1)
    assert HUMAN[1].argmin() == 2


def test_singles_only_in_positives_decoys_in_both(planted):
    sites = planted.sites
    for factor in planted.factors:
        mine = sites[sites["name"] == factor.name]
        positive, negative = carriers(planted, mine, 1), carriers(planted, mine, 0)
        if factor.role == "single":
            assert positive > 0.25 and negative == 0
        elif factor.role == "pair":  # half as often in negatives, and never at the cooperating spacing
            assert negative == pytest.approx(positive / 2, abs=0.06) and positive > 0.3
        else:
            assert positive == pytest.approx(negative, abs=0.06) and positive > 0.3


def test_a_positive_is_what_carries_evidence(planted):
    sites = planted.sites
    evidence = sites[(sites["role"] == "single") | sites["cooperates"]]
    assert carriers(planted, evidence, 1) == 1
    assert carriers(planted, evidence, 0) == 0


def test_pairs_cooperate_at_their_spacing_only(planted):
    (bond,) = planted.pairs
    paired = planted.sites[planted.sites["role"] == "pair"]
    off = (paired["spacing"] - bond.spacing).abs()
    assert (off[paired["cooperates"]] <= JITTER).all()
    misplaced = off[~paired["cooperates"]].dropna()
    assert len(misplaced) and (misplaced > JITTER + MARGIN).all()
    for _, group in paired[paired["cooperates"]].groupby("sequence"):
        first, second = group.sort_values("start").itertuples()
        assert second.start - first.end == first.spacing
        assert first.strand == second.strand
        assert (first.name, second.name) == (
            (bond.first, bond.second) if first.strand == "+" else (bond.second, bond.first)
        )


def test_sites_lie_inside_never_overlap_and_read_as_their_matrix(planted):
    sites, codes = planted.sites, planted.sequences.codes
    assert (sites["start"] >= 0).all() and (sites["end"] <= codes.shape[1]).all()
    ordered = sites.sort_values(["sequence", "start"])
    same = ordered["sequence"].to_numpy()[1:] == ordered["sequence"].to_numpy()[:-1]
    assert (ordered["start"].to_numpy()[1:] >= ordered["end"].to_numpy()[:-1])[same].all()
    assert set(sites["strand"]) == {"+", "-"}
    for factor in planted.factors:
        mine = sites[sites["name"] == factor.name]
        windows = np.stack([codes[s.sequence, s.start : s.end] for s in mine.itertuples()])
        turned = (mine["strand"] == "-").to_numpy()
        windows[turned] = reverse_complement(windows[turned])
        ppm = np.stack([(windows == base).mean(axis=0) for base in range(4)], axis=1)
        assert ppm == pytest.approx(factor.reference.motif.ppm, abs=0.08)


def test_the_same_seed_the_same_truth(planted):
    again = plant(num_sequences=3000, seed=5)
    assert np.array_equal(again.sequences.codes, planted.sequences.codes)
    assert again.sites.equals(planted.sites)
    assert not np.array_equal(plant(num_sequences=3000, seed=6).sequences.codes, planted.sequences.codes)


def test_the_control_keeps_the_sequences_and_drops_the_meaning(planted):
    control = plant(num_sequences=3000, seed=5, shuffle_labels=True)
    assert np.array_equal(control.sequences.codes, planted.sequences.codes)
    assert control.sequences.labels.mean() == 0.5
    assert abs(np.corrcoef(control.sequences.labels, planted.sequences.labels)[0, 1]) < 0.07
    assert control.predictive == ()


def test_the_truth_is_named(planted):
    assert planted.predictive == ("CTCF", "JUND", "CEBPB", "ELK1", "FOXA1", "ESR1")
    assert {f.name for f in planted.factors if f.role == "decoy"} == {"TEAD4", "USF1"}
    families = [f.reference.family for f in planted.factors]
    assert len(set(families)) == len(families)


def test_it_can_be_learned_but_not_by_counting_alone(planted):
    parts = [take(planted.sequences, np.arange(*span)) for span in ((0, 2200), (2200, 2500), (2500, 3000))]
    assert 0.75 < roc_auc_score(parts[2].labels, kmer_regression(*parts)) < 0.97


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"singles": ["CTCF"]}, "no vertebrate CORE matrix 'CTCF'"),
        ({"release": "JASPAR1999"}, "JASPAR1999"),
        ({"length": 60}, "length=60 cannot hold"),
        ({"num_sequences": 1}, "at least two"),
        ({"singles": [], "pairs": []}, "Nothing to plant"),
        ({"decoys": ["MA0139"]}, "CTCF is planted in two roles"),
        ({"pairs": [("MA0148", "MA0112", 1)]}, "it varies by 2"),
    ],
)
def test_a_wrong_argument_is_one_sentence(wrong, complaint):
    with pytest.raises(InputError, match=complaint):
        plant(**wrong)
