"""Places of a genome as sequences: coordinates, strands, edges, and windows that are like them and are none."""

import gzip
from itertools import pairwise

import numpy as np
import pytest
from Bio.Seq import Seq

from zoo.domain.errors import InputError, LeftOut
from zoo.genomics.data import OwnSequences
from zoo.genomics.gc_matched import gc_matched
from zoo.genomics.intervals import cut, open_genome, read_bed
from zoo.genomics.long_sequences import middle, windows
from zoo.genomics.place_names import Place, genome_place, name_of_part
from zoo.genomics.sequences import from_strings


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Three chromosomes whose GC content rises and falls along them; 400 N in the first. (path, name -> bases)"""
    draw = np.random.default_rng(0)
    texts = {}
    for name, length in (("chr1", 30_011), ("chr2", 20_007), ("chrM", 997)):
        share = 0.5 + 0.25 * np.sin(np.arange(length) / 700)
        strong, weak = draw.choice(list("GC"), length), draw.choice(list("at"), length)
        texts[name] = "".join(np.where(draw.random(length) < share, strong, weak))
    texts["chr1"] = texts["chr1"][:5000] + "N" * 400 + texts["chr1"][5400:]
    path = tmp_path_factory.mktemp("genome") / "toy.fa"
    lines = [
        f">{n} some words\n" + "\n".join(t[i : i + 60] for i in range(0, len(t), 60)) + "\n" for n, t in texts.items()
    ]
    path.write_text("".join(lines))
    return path, texts


def bed(folder, text, name="peaks.bed"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_intervals_are_cut_as_plain_slicing_and_biopython_have_it(genome, tmp_path):
    path, texts = genome
    lines = "# a comment\ntrack name=x\nchr1\t10\t40\nchr2\t7\t29\tb\t0\t-\r\nchrM\t0\t997\tc\t5\t+\n"
    found = cut(open_genome(path), read_bed(bed(tmp_path, lines)))
    expected = [texts["chr1"][10:40], str(Seq(texts["chr2"][7:29]).reverse_complement()), texts["chrM"]]
    assert found.strings() == [text.upper() for text in expected]
    assert found.names == ("chr1:10-40", "chr2:7-29(-)", "chrM:0-997")
    assert found.lowercase[0] == pytest.approx(sum(c.islower() for c in expected[0]) / 30)


def test_a_width_is_taken_around_the_summit_or_the_middle(genome, tmp_path):
    path, texts = genome
    peaks = "chr1\t100\t200\t.\t0\t.\t1\t1\t1\t30\nchr1\t100\t201\t.\t0\t.\t1\t1\t1\t-1\n"
    found = cut(open_genome(path), read_bed(bed(tmp_path, peaks, "p.narrowPeak.gz")), 7)
    assert found.names == ("chr1:127-134", "chr1:147-154")
    assert found.strings()[0] == texts["chr1"][127:134].upper()
    beds = "chr1\t100\t200\t.\t0\t.\nchr1\t100\t201\t.\t0\t.\n"
    assert cut(open_genome(path), read_bed(bed(tmp_path, beds)), 7).names == ("chr1:147-154", "chr1:147-154")


def test_ten_columns_of_a_narrow_peak_have_their_summit_whatever_the_file_is_called(tmp_path):
    peaks = "chr1\t100\t200\tp\t0\t.\t8.2\t5.1\t-1\t30\nchr1\t100\t201\tq\t0\t.\t1e2\t4\t3.5\t-1\n"
    assert read_bed(bed(tmp_path, peaks, "peaks.bed.gz")).centre.tolist() == [130, 150]
    blocks = "chr1\t100\t200\t.\t0\t+\t110\t190\t255,0,0\t1\n"
    assert read_bed(bed(tmp_path, peaks + blocks)).centre.tolist() == [150, 150, 150], "one line is no peak"
    assert read_bed(bed(tmp_path, "chr1\t1\t9\t.\t0\t.\t1\t1\t1\t8\n")).centre.tolist() == [5], "beyond the peak"


@pytest.mark.parametrize("width", [6, 7])
@pytest.mark.parametrize("summit", [-1, 30])
@pytest.mark.parametrize("length", [100, 101])
def test_the_minus_strand_is_cut_as_the_plus_strand_of_the_mirrored_genome(genome, tmp_path, width, summit, length):
    path, texts = genome
    (tmp_path / "mirrored.fa").write_text(f">chrM\n{Seq(texts['chrM']).reverse_complement()}\n")
    size, summit_there = len(texts["chrM"]), summit if summit < 0 else length - 1 - summit
    minus = f"chrM\t100\t{100 + length}\t.\t0\t-\t1\t1\t1\t{summit}\n"
    plus = f"chrM\t{size - 100 - length}\t{size - 100}\t.\t0\t+\t1\t1\t1\t{summit_there}\n"
    here = cut(open_genome(path), read_bed(bed(tmp_path, minus)), width)
    there = cut(open_genome(tmp_path / "mirrored.fa"), read_bed(bed(tmp_path, plus)), width)
    assert here.strings() == there.strings()


def test_windows_over_an_end_are_left_out_with_a_warning(genome, tmp_path):
    path, _ = genome
    intervals = read_bed(bed(tmp_path, "chrM\t5\t15\nchrM\t500\t510\nchrM\t990\t997\n"))
    with pytest.warns(LeftOut, match="2 of 3 windows of x reach beyond"):
        assert cut(open_genome(path), intervals, 50, "x").names == ("chrM:480-530",)
    with pytest.raises(InputError, match="all 3 windows"):
        cut(open_genome(path), intervals, 5000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no intervals"),
        ("chr1\t5\n", "line 1: expected chromosome, start and end, got 'chr1"),
        ("chr1\t1\t2\nchr1\tx\t9\n", "line 2: expected chromosome, start and end"),
        ("chr1\t9\t9\n", "line 1: start 9 and end 9 are no interval"),
        ("chr1\t-3\t9\n", "start -3 and end 9"),
    ],
)
def test_what_is_no_bed_is_said(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as caught:
        read_bed(bed(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "said"), [("1", "it calls it chr1"), ("chrX", "it has chr1, chr2, chrM")])
def test_an_unknown_chromosome_is_said_with_what_was_meant(genome, tmp_path, name, said):
    intervals = read_bed(bed(tmp_path, f"chr1\t1\t9\n{name}\t1\t9\n{name}\t3\t9\n"))
    with pytest.raises(InputError, match=rf"no '{name}'.*2 of 3.*{said}"):
        cut(open_genome(genome[0]), intervals)


def test_a_genome_that_cannot_be_indexed_is_said(tmp_path):
    with pytest.raises(InputError, match="There is no genome"):
        open_genome(tmp_path / "no.fa")
    (tmp_path / "g.fa.gz").write_bytes(gzip.compress(b">a\nACGT\n"))
    with pytest.raises(InputError, match="gunzip"):
        open_genome(tmp_path / "g.fa.gz")
    (tmp_path / "ragged.fa").write_text(">a\nACGT\nACGTACGT\nACG\nACGT\n")
    with pytest.raises(InputError, match="cannot be indexed"):
        open_genome(tmp_path / "ragged.fa")


@pytest.mark.parametrize("width", [100, None])
def test_gc_matched_windows_are_like_the_positives_and_lie_elsewhere(genome, tmp_path, width):
    path, texts = genome
    starts = range(500, 4900, 160)
    lines = "".join(f"chr1\t{s}\t{s + 100 + (s % 3 == 0) * 20}\n" for s in starts)
    intervals = read_bed(bed(tmp_path, lines))
    positives = cut(open_genome(path), intervals, width)
    found = gc_matched(positives, intervals, open_genome(path), seed=1)
    assert found.lengths.tolist() == positives.lengths.tolist() and set(found.labels) == {0}

    def gc(text):
        return (text.count("G") + text.count("C")) / len(text)

    gaps = [abs(gc(a) - gc(b)) for a, b in zip(positives.strings(), found.strings(), strict=True)]
    assert np.median(gaps) < 0.02 and max(gaps) < 0.16
    spans = {}
    for name, text in zip(found.names, found.strings(), strict=True):
        place = genome_place(name)
        assert texts[place.chromosome][place.start : place.end].upper() == text and "N" not in text
        spans.setdefault(place.chromosome, []).append((place.start, place.end))
    spans["chr1"] = spans.get("chr1", []) + [(s, s + 100) for s in starts]
    for of in spans.values():
        of.sort()
        assert all(a[1] <= b[0] for a, b in pairwise(of))
    again = gc_matched(positives, intervals, open_genome(path), seed=1)
    assert again.names == found.names != gc_matched(positives, intervals, open_genome(path), seed=2).names


def test_a_genome_too_small_for_negatives_is_said(genome, tmp_path):
    path, _ = genome
    intervals = read_bed(bed(tmp_path, "chrM\t0\t400\nchrM\t500\t900\n"))
    with pytest.raises(InputError, match="too few windows like"):
        gc_matched(cut(open_genome(path), intervals), intervals, open_genome(path), 0)


@pytest.mark.parametrize("negatives", [None, "shuffled", "partly_shuffled", "gc_matched", "others.bed"])
def test_own_peaks_become_parts_with_every_kind_of_negatives(genome, tmp_path, negatives):
    path, _ = genome
    peaks = bed(tmp_path, "".join(f"chr1\t{s}\t{s + 60}\n" for s in range(6000, 15000, 150)))
    others = bed(tmp_path, "".join(f"chr2\t{s}\t{s + 90}\n" for s in range(100, 9000, 150)), "others.bed")
    given = str(others) if negatives == "others.bed" else negatives
    data = OwnSequences(str(peaks), given, str(path), width=80)
    read = {name: part.sequences for name, part in data.parts().items()}
    assert sum((part.labels == 1).sum() for part in read.values()) == 60
    assert {80} == {int(n) for part in read.values() for n in part.lengths}
    assert min(len(part) for part in read.values()) > 5


def test_mistakes_about_own_files_are_said_before_anything_is_read(genome, tmp_path):
    path, peaks = str(genome[0]), str(bed(tmp_path, "chr1\t1\t9\n"))
    fasta = path  # a genome is a FASTA too
    assert OwnSequences.problems(peaks, genome=path, negatives="gc_matched", width=100) == []
    assert OwnSequences.problems(fasta, negatives="shuffled") == []
    (said,) = OwnSequences.problems(peaks)
    assert "give data.genome=" in said
    (said,) = OwnSequences.problems(fasta, negatives="shufled")
    assert said == "negatives=shufled: there is no such file; did you mean shuffled?"
    (said,) = OwnSequences.problems(fasta, negatives="gc_matched")
    assert "these must be BED" in said
    assert len(OwnSequences.problems("no.bed", "nothing", "no.fa", 0)) == 4


def test_the_middle_and_windows_by_hand():
    sequences = from_strings(["ACGTACG", "ACG"], names=["a", "b"], labels=[1, 0])
    assert middle(sequences, 4).strings() == ["CGTA", "ACG"] and middle(sequences, 4).labels.tolist() == [1, 0]
    assert middle(sequences, 4).names == ("a:1-5", "b")
    cut_up = windows(sequences, 4, 4)
    assert cut_up.names == ("a:0-4", "a:2-6", "a:3-7", "b")
    assert cut_up.strings() == ["ACGT", "GTAC", "TACG", "ACG"] and cut_up.labels.tolist() == [1, 1, 1, 0]


@pytest.mark.parametrize("turned", [False, True])
def test_parts_of_a_place_are_called_by_their_own_place(turned):
    """Cut again, a window's sites come back to where they stood in the genome."""
    text = "".join(np.random.default_rng(0).choice(list("ACGT"), 60))
    name = "chr1:1000-1060" + ("(-)" if turned else "")
    whole = from_strings([reverse(text) if turned else text], names=[name])
    for part in (middle(whole, 20), windows(whole, 30, 20)):
        for called, letters in zip(part.names, part.strings(), strict=True):
            place = genome_place(called, 20)
            start, end, _ = place.of(0, 20)
            assert place.chromosome == "chr1" and place.turned is turned
            assert text[start - 1000 : end - 1000] == (reverse(letters) if turned else letters)


def reverse(text: str) -> str:
    return text.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def test_names_of_other_tools_are_read_by_their_length():
    assert genome_place("peak1::chr1:100-400(-)", 300) == Place("chr1", 100, 400, True)
    assert genome_place("chr1:101-400", 300) == Place("chr1", 100, 400), "samtools counts from 1"
    assert genome_place("gene:1-5", 300) == Place("gene:1-5"), "no span of this sequence"
    assert name_of_part("gene:1-5", 300, 10, 30) == "gene:1-5:10-30"


def test_sites_on_the_other_strand_come_back_to_the_genome():
    place = genome_place("chr1:100-400(-)")
    assert place.of(0, 10, "+") == (390, 400, "-") and place.of(290, 300, "-") == (100, 110, "+")
    assert genome_place("chr1:100-400").of(5, 9, "-") == (105, 109, "-")
    assert genome_place("HLA:x").of(5, 9) == (5, 9, "+") and genome_place("HLA:x").chromosome == "HLA:x"
