"""One matrix stands for each motif, and a composite of two for none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.genomics.planting import markov, sample_sites
from zoo.genomics.by_head import NO_HEAD, Found
from zoo.genomics.enrichment import Enrichment
from zoo.genomics.merge import Discovery, align
from zoo.genomics.motifs import Motif, Sites
from zoo.genomics.sequences import reverse_complement
from zoo.genomics.shuffle import dinucleotide_shuffle
from zoo.genomics.stands_for import _touching, standing


def sharp(consensus: str) -> Motif:
    letters = np.array([[0.25] * 4 if x == "N" else np.eye(4)["ACGT".index(x)] for x in consensus])
    return Motif(consensus, letters * 45 + 1)


FIRST, SECOND, THIRD = sharp("TGACTCATC"), sharp("GGGCGTAAC"), sharp("CATTGTTAG")
COMPOSITE = sharp("TGACTCATCNNNGGGCGTAAC")
BLURRED = Motif("b", np.concatenate([FIRST.counts, sharp("NNN").counts, [[12, 12, 24, 1]] * 3]))  # ... and a neighbour


def found(motif: Motif, *sources: str) -> Found:
    nothing = Enrichment(motif.name, 0, 1, 0, 1, 1.0, 1.0, 1.0)
    return Found(Discovery(motif, Sites.concatenate([]), nothing), sources)


@pytest.fixture(scope="module")
def sequences():
    """FIRST and SECOND together, three bases between them, in a quarter; each alone in another; on both strands."""
    codes = planted([COMPOSITE] * 200 + [FIRST] * 200 + [SECOND] * 200, 800)
    return codes, dinucleotide_shuffle(codes, 0)


def planted(motifs: list[Motif], n: int) -> np.ndarray:
    """n sequences of 100 bases; a site of each motif in one of the first, on either strand."""
    rng = np.random.default_rng(0)
    codes = markov(n, 100, rng)
    for i, motif in enumerate(motifs):
        site, at = sample_sites(motif.ppm, 1, rng)[0], int(rng.integers(10, 60))
        codes[i, at : at + len(motif)] = reverse_complement(site[None])[0] if rng.random() < 0.5 else site
    return codes


def matrices(stand: tuple[Found, ...]) -> list[str]:
    return [f.discovery.motif.consensus for f in stand]


def test_a_composite_of_two_that_are_known_is_let_go(sequences):
    stand = standing((found(COMPOSITE, "head 1"), found(FIRST, "head 2")), [found(SECOND).discovery], *sequences)
    shown = dict(zip(matrices(stand), (f.sources for f in stand), strict=True))
    assert shown == {FIRST.consensus: ("head 2", "head 1"), SECOND.consensus: ("head 1",)}  # the composite shows both
    assert [f.discovery.motif.name for f in stand] == [f"{i}-{name}" for i, name in enumerate(matrices(stand), 1)]


def test_a_rare_composite_is_let_go_too():
    """Where half of what a part calls a site is chance."""
    codes = planted([COMPOSITE] * 60 + [FIRST] * 40 + [SECOND] * 40, 1000)
    heads = (found(COMPOSITE, "head 1"), found(FIRST, "head 2"), found(SECOND, "head 3"))
    assert COMPOSITE.consensus not in matrices(standing(heads, [], codes, dinucleotide_shuffle(codes, 0)))


def test_a_composite_stays_where_a_half_is_not_known_or_is_not_there(sequences):
    for other in (None, THIRD):
        heads = [found(COMPOSITE, "head 1"), found(FIRST, "head 2")] + ([found(other, "head 3")] if other else [])
        assert COMPOSITE.consensus in matrices(standing(tuple(heads), [], *sequences))
    absent = sharp("GGGCGTNNN")  # lies whole in the composite, and so do many words: it must be in the sequences
    codes = markov(800, 100, np.random.default_rng(1))
    heads = (found(COMPOSITE, "head 1"), found(FIRST, "head 2"), found(absent, "head 3"))
    assert COMPOSITE.consensus in matrices(standing(heads, [], codes, dinucleotide_shuffle(codes, 1)))


def test_a_composite_stays_where_what_is_known_is_unlike_its_half():
    unlike = sharp("GGGCATTAC")  # two letters of SECOND's changed
    codes = planted([COMPOSITE] * 200 + [FIRST] * 200 + [unlike] * 200, 800)
    heads = (found(COMPOSITE, "head 1"), found(FIRST, "head 2"), found(unlike, "head 3"))
    assert COMPOSITE.consensus in matrices(standing(heads, [], codes, dinucleotide_shuffle(codes, 0)))


def test_a_motif_stays_in_which_two_known_ones_lie_on_each_other():
    """Two sites cannot be taken there at once."""
    whole, first, second = (sharp(word) for word in ("GCATTGACTCATGG", "GCATTGACT", "GACTCATGG"))
    codes = planted([whole] * 200 + [first] * 300 + [second] * 300, 1000)
    heads = (found(whole, "head 1"), found(first, "head 2"), found(second, "head 3"))
    assert whole.consensus in matrices(standing(heads, [], codes, dinucleotide_shuffle(codes, 0)))


def test_a_half_site_beside_a_motif_makes_another(sequences):
    longer = sharp(FIRST.consensus + "NNNGGGC")
    assert align(FIRST, longer).same
    stand = standing((found(longer, "head 1"),), [found(FIRST).discovery], *sequences)
    assert set(matrices(stand)) == {FIRST.consensus, longer.consensus}


def test_the_sites_of_the_rarer_decide_whether_two_are_one():
    short, longer = sharp("TGACTCA"), sharp("TGACTCATCG")
    codes = planted([longer] * 40 + [short] * 700, 1000)
    stand = standing((found(longer, "head 1"), found(short, "head 2")), [], codes, dinucleotide_shuffle(codes, 0))
    assert matrices(stand) == [short.consensus] and set(stand[0].sources) == {"head 1", "head 2"}


def test_what_heads_show_comes_first(sequences):
    stand = standing((found(COMPOSITE, "head 1"),), [found(FIRST).discovery], *sequences)
    assert matrices(stand) == [COMPOSITE.consensus, FIRST.consensus]
    assert [f.sources for f in stand] == [("head 1",), (NO_HEAD,)]


@pytest.mark.parametrize("n", [40, 60, 300])  # of 1000; of the fewer, most of a fragment's sites are chance
def test_a_long_motif_is_not_let_go_for_its_fragments(n):
    """As REST: nothing but the whole was planted, and its ends are found by themselves."""
    whole = sharp("TTCAGCACCATGGACAGCGCC")
    codes = planted([whole] * n, 1000)
    ends = [found(Motif("end", whole.counts[:11])).discovery, found(Motif("end", whole.counts[11:])).discovery]
    stand = standing((found(whole, "head 1"),), ends, codes, dinucleotide_shuffle(codes, 0))
    assert whole.consensus in matrices(stand)


def test_in_short_sequences_too_a_composite_is_let_go():
    """Both stand in all of them, within the composite's length, and at its own spacing in a third."""
    rng = np.random.default_rng(0)
    codes = markov(900, 50, rng)
    for i in range(600):
        if i < 200:
            codes[i, 15 : 15 + len(COMPOSITE)] = sample_sites(COMPOSITE.ppm, 1, rng)[0]
            continue
        for motif, begin in ((FIRST, rng.integers(0, 16)), (SECOND, rng.integers(25, 41))):
            codes[i, begin : begin + len(motif)] = sample_sites(motif.ppm, 1, rng)[0]
    heads = (found(COMPOSITE, "head 1"), found(FIRST, "head 2"), found(SECOND, "head 3"))
    assert set(matrices(standing(heads, [], codes, dinucleotide_shuffle(codes, 0)))) == {
        FIRST.consensus,
        SECOND.consensus,
    }


def test_a_composite_is_let_go_whose_parts_share_a_loose_column(sequences):
    loose = [[25, 8, 8, 8]]  # .4 bits
    whole, first, second = (
        Motif(name, np.concatenate(parts))
        for name, parts in (
            ("whole", (FIRST.counts, loose, SECOND.counts)),
            ("first", (FIRST.counts, loose)),
            ("second", (loose, SECOND.counts)),
        )
    )
    codes = planted([whole] * 200 + [first] * 200 + [second] * 200, 800)
    stand = standing((found(whole), found(first), found(second)), [], codes, dinucleotide_shuffle(codes, 0))
    assert set(matrices(stand)) == {first.consensus, second.consensus}


def test_a_composite_stays_that_holds_a_third_word():
    whole = sharp(COMPOSITE.consensus + "CCATA")  # a fifth of its information
    codes = planted([whole] * 200 + [FIRST] * 200 + [SECOND] * 200, 800)
    heads = (found(whole, "head 1"), found(FIRST, "head 2"), found(SECOND, "head 3"))
    assert whole.consensus in matrices(standing(heads, [], codes, dinucleotide_shuffle(codes, 0)))


def test_a_blur_that_lies_far_away_makes_no_other_motif(sequences):
    far = Motif("far", np.concatenate([FIRST.counts, sharp("NNNNNN").counts, [[10, 10, 26, 1]] * 3]))
    assert align(FIRST, far).same
    for blurred in (far, far.reverse_complement()):
        stand = standing((found(blurred, "head 1"),), [found(FIRST).discovery], *sequences)
        assert matrices(stand) == [FIRST.consensus] and stand[0].sources == ("head 1",)


def test_composites_that_share_a_head_name_it_once(sequences):
    turned = sharp("GGGCGTAACNTGACTCATC")
    assert not align(COMPOSITE, turned).same
    heads = (found(COMPOSITE, "head 1"), found(turned, "head 1"), found(FIRST, "head 2"), found(SECOND, "head 3"))
    stand = standing(heads, [], *sequences)
    assert {f.discovery.motif.consensus: f.sources for f in stand} == {
        FIRST.consensus: ("head 2", "head 1"),
        SECOND.consensus: ("head 3", "head 1"),
    }


def test_the_matrix_that_tells_most_stands_and_the_head_that_showed_it_is_named(sequences):
    assert align(FIRST, BLURRED).same
    stand = standing((found(BLURRED, "head 1"),), [found(FIRST).discovery], *sequences)
    assert matrices(stand) == [FIRST.consensus] and stand[0].sources == ("head 1",)
    alone = standing((), [found(FIRST).discovery], *sequences)
    assert alone[0].sources == (NO_HEAD,)


def test_of_anchored_sequences_the_heads_matrix_stands(sequences):
    stand = standing((found(BLURRED, "head 1"),), [found(FIRST).discovery], *sequences, anchored=True)
    assert matrices(stand) == [BLURRED.consensus] and stand[0].sources == ("head 1",)


def test_motifs_that_look_alike_and_have_other_sites_are_two():
    """As SIX1 and GRHL2, which share CAGGTT."""
    one = Motif("one", np.concatenate([[[18, 1, 1, 28]], sharp("CAGGTTAC").counts]))
    other, longer = sharp("AACAGGTT"), Motif("longer", np.concatenate([sharp("N").counts, one.counts]))
    rng = np.random.default_rng(0)
    codes = markov(600, 100, rng)
    for i in range(400):
        motif = one if i < 200 else other
        codes[i, 40 : 40 + len(motif)] = sample_sites(motif.ppm, 1, rng)[0]
    shuffled = dinucleotide_shuffle(codes, 0)
    assert align(one, other).same and align(one, longer).same
    assert len(standing((found(one, "head 1"), found(other, "head 2")), [], codes, shuffled)) == 2
    assert len(standing((found(one, "head 1"), found(longer, "head 2")), [], codes, shuffled)) == 1


def test_composites_do_not_let_go_each_other():
    """Two that share a core of thirteen bases, and short words of their ends."""
    words = ("TGACTCATCGTCAGGCG", "GCATTGACTCATCGTCA", "CAGGCGA", "TGCATTG")
    rng = np.random.default_rng(0)
    codes = markov(900, 100, rng)
    for i in range(600):
        motif = sharp(words[i % 2])
        codes[i, 40 : 40 + len(motif)] = sample_sites(motif.ppm, 1, rng)[0]
    heads = tuple(found(sharp(word), f"head {i}") for i, word in enumerate(words))
    stand = matrices(standing(heads, [], codes, dinucleotide_shuffle(codes, 0)))
    assert any("TGACTCATCGTCA" in matrix for matrix in stand)


@given(st.data())
def test_the_best_site_that_shares_a_base(data):
    def drawn(width: int) -> Sites:
        at = data.draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), max_size=12))
        sequence, start = (np.array(column, int) for column in (zip(*at, strict=True) if at else ([], [])))
        score = np.array(data.draw(st.lists(st.floats(-9, 9), min_size=len(at), max_size=len(at))), float)
        words = ("",) * len(at)
        return Sites(words, sequence, start, start + width, words, score, score, words)

    these, others = drawn(data.draw(st.integers(1, 8))), drawn(data.draw(st.integers(1, 8)))
    for i, best in enumerate(_touching(these, others)):
        touching = (others.sequence == these.sequence[i]) & (others.start < these.end[i])
        touching &= others.end > these.start[i]
        assert best == max(others.score[touching], default=-np.inf)
