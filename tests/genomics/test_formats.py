import io

import numpy as np
import pytest
from Bio import motifs as bio
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zoo.genomics.formats import bed_scores, to_bed, to_jaspar, to_meme
from zoo.genomics.jaspar import load_jaspar, match
from zoo.genomics.logos import aligned_logo, logo
from zoo.genomics.motifs import Motif, Sites

MOTIFS = [
    Motif("1-GATA", [[1, 2, 3, 1], [7, 0, 0, 0], [0, 0, 0, 7], [7, 0, 0, 0]]),
    Motif("two words", np.ones((5, 4)) / 4),
]


def test_meme_is_read_by_biopython_and_memelite(tmp_path):
    text = to_meme(MOTIFS, np.array([0.3, 0.2, 0.2, 0.3]))
    read = bio.parse(io.StringIO(text), "minimal")
    assert [m.name for m in read] == ["1-GATA", "two_words"]
    assert read[0].num_occurrences == 7
    assert "E=" not in text, "none is known, and 0 would say certain"
    np.testing.assert_allclose(read[0].background["A"], 0.3)
    (tmp_path / "motifs.meme").write_text(text)
    from memelite.io import read_meme

    other = read_meme(str(tmp_path / "motifs.meme"))
    for motif, record, matrix in zip(MOTIFS, read, other.values(), strict=True):
        np.testing.assert_allclose(matrix.T, motif.ppm, atol=1e-6)
        # Biopython turns frequencies back into counts, rounded to whole sites
        np.testing.assert_allclose([record.pwm[b] for b in "ACGT"], motif.ppm.T, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(hnp.arrays(float, st.tuples(st.integers(1, 7), st.just(4)), elements=st.floats(0, 1e3)))
def test_printed_rows_sum_to_exactly_one(counts):
    rows = [line.split() for line in to_meme([Motif("m", counts)]).splitlines() if line[:2] in ("0.", "1.")]
    assert len(rows) == len(counts)
    for row in rows:
        assert sum(int(number.replace(".", "")) for number in row) == 10**6


def test_jaspar_is_read_by_biopython():
    read = bio.parse(io.StringIO(to_jaspar(MOTIFS)), "jaspar")
    np.testing.assert_allclose([read[0].counts[b] for b in "ACGT"], MOTIFS[0].counts.T)
    assert read[0].matrix_id == "1-GATA"
    assert to_jaspar([]) == ""


def test_bed_by_hand():
    sites = Sites(
        motif=("b", "a"),
        sequence=np.array([1, 0]),
        start=np.array([5, 7]),
        end=np.array([9, 11]),
        strand=("-", "+"),
        score=np.array([8.0, 9.0]),
        pvalue=np.array([1e-4, 0.0]),
        matched=("ACGT", "ACGT"),
    )
    assert to_bed(sites, ["chr2:100-400", "peak 7"], [300, 50]) == "chr2\t107\t111\ta\t1000\t+\npeak\t5\t9\tb\t40\t-\n"
    assert to_bed(Sites.concatenate([]), [], []) == ""
    assert bed_scores(np.array([1.0, 1e-3, 1e-300])).tolist() == [0, 30, 1000]


@pytest.mark.parametrize("turn", [False, True])
def test_logos_are_pictures(turn):
    target = next(r for r in load_jaspar() if r.matrix_id == "MA0035.5")
    motif = target.motif.reverse_complement() if turn else target.motif
    motif = motif.renamed("found")
    (found,) = match([motif], load_jaspar(), top=1)
    for png in (logo(motif), aligned_logo(motif, found, target)):
        assert png.startswith(b"\x89PNG") and len(png) > 3000
