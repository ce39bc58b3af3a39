import numpy as np
import pytest
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st

from tests.realdata import real
from zoo.domain.errors import InputError
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import from_strings, take
from zoo.genomics.split import homology_split, kmers, shared_kmer_clusters, shares_kmer

SHARED = "ACGTTGCAAC"


def random_texts(num: int, length: int, seed: int) -> list[str]:
    draw = np.random.default_rng(seed)
    return ["".join(draw.choice(list("ACGT"), length)) for _ in range(num)]


def test_kmers_by_hand():
    number, real_ = kmers(from_strings(["ACGTN", "TTT"]).codes, 3, canonical=False)
    assert number[0, :2].tolist() == [0b000110, 0b011011]
    assert real_.tolist() == [[True, True, False], [True, False, False]]
    canonical, _ = kmers(from_strings(["TTT", "AAA"]).codes, 3)
    assert canonical.ravel().tolist() == [0, 0]


@given(st.text("ACGTN", min_size=1, max_size=60), st.integers(1, 31))
def test_canonical_kmers_are_those_of_the_other_strand(text, k):
    def found(t):
        number, real_ = kmers(from_strings([t]).codes, k)
        return sorted(number[real_].tolist())

    assert found(text) == found(str(Seq(text).reverse_complement()))
    assert len(found(text)) == sum("N" not in text[i : i + k] for i in range(len(text) - k + 1))


def test_clusters_chain_across_strands():
    a, b, c = random_texts(3, 40, seed=1)
    texts = [a, b, a[-10:] + "T" * 30, c, str(Seq(b).reverse_complement())[5:25], "ACG"]
    cluster = shared_kmer_clusters(from_strings(texts), k=10)
    assert cluster[0] == cluster[2] and cluster[1] == cluster[4]
    assert len(set(cluster.tolist())) == 4


def test_a_homology_split_shares_nothing_and_keeps_the_balance():
    families = random_texts(60, 40, seed=2)
    texts = [family[i : i + 35] for family in families for i in range(4)] + random_texts(160, 35, seed=3)
    labels = np.arange(len(texts)) % 2
    seqs = from_strings(texts, labels=labels)
    parts = homology_split(seqs, (0.8, 0.1, 0.1), seed=0, k=20)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(texts)))
    assert [len(part) for part in parts] == pytest.approx([320, 40, 40], abs=4)
    assert all(abs(labels[part].mean() - 0.5) < 0.06 for part in parts)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        assert not shares_kmer(take(seqs, parts[i]), take(seqs, parts[j]), k=20).any()
    again = homology_split(seqs, (0.8, 0.1, 0.1), seed=0, k=20)
    assert all(np.array_equal(x, y) for x, y in zip(parts, again, strict=True))
    other = homology_split(seqs, (0.8, 0.1, 0.1), seed=1, k=20)
    assert not np.array_equal(parts[1], other[1])


def test_shares_kmer_by_strand():
    train = from_strings(["TTTTT" + SHARED + "TTTTT"])
    turned = str(Seq(SHARED).reverse_complement())
    test = from_strings([SHARED, turned, SHARED[:9], "N".join([SHARED[:5], SHARED[5:]])])
    assert shares_kmer(test, train, k=10).tolist() == [True, True, False, False]
    assert shares_kmer(test, train, k=10, canonical=False).tolist() == [True, False, False, False]


@pytest.mark.parametrize("fractions", [(0.8, 0.1), (1.2, -0.2), ()])
def test_bad_fractions(fractions):
    with pytest.raises(InputError, match="sum to 1"):
        homology_split(from_strings(["ACGT"] * 9), fractions)


def test_what_cannot_be_split_says_so():
    with pytest.raises(InputError, match="in 1 clusters"):
        homology_split(from_strings(["ACGTACGT"] * 9), k=5)
    with pytest.raises(InputError, match="1 to 31"):
        shared_kmer_clusters(from_strings(["ACGT"]), k=32)


def test_the_tata_set_leaks_between_its_parts():
    folder = real("genomics/gue-prom300-tata")
    train, test = read_sequences(folder / "train.csv"), read_sequences(folder / "test.csv")
    # a set of strings in plain Python finds the same 75 and 79 of 613
    assert shares_kmer(test, train, canonical=False).sum() == 75
    assert shares_kmer(test, train).sum() == 79
