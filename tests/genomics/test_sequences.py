import gzip
import warnings

import numpy as np
import pytest
from Bio.Seq import Seq
from hypothesis import given
from hypothesis import strategies as st

from tests.realdata import real
from zoo.domain.errors import InputError
from zoo.genomics.negatives import contrast
from zoo.genomics.own_files import OwnFiles
from zoo.genomics.reading import read_sequences
from zoo.genomics.sequences import PAD, from_strings, join, one_hot, reverse_complement, take

DNA = st.lists(st.text("ACGTN", min_size=1, max_size=13), min_size=1, max_size=7)


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_codes_by_hand():
    seqs = from_strings(["ACGTN", "uRy"], labels=[1, 0])
    assert seqs.codes.tolist() == [[0, 1, 2, 3, 4], [3, 4, 4, 5, 5]]
    assert seqs.codes.dtype == np.uint8 and seqs.labels.dtype == np.float32
    assert seqs.lengths.tolist() == [5, 3]
    assert seqs.names == ("sequence_1", "sequence_2")
    assert seqs.strings() == ["ACGTN", "TNN"]


def test_one_hot_by_hand():
    assert one_hot(np.array([2, 0, 4, PAD])).tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


@given(DNA)
def test_strings_survive_encoding(texts):
    assert from_strings(texts).strings() == texts


@given(DNA)
def test_reverse_complement_is_biopythons(texts):
    seqs = from_strings(texts)
    other = reverse_complement(seqs.codes)
    expected = from_strings([str(Seq(text).reverse_complement()) for text in texts])
    assert np.array_equal(other, expected.codes)
    assert np.array_equal(reverse_complement(other), seqs.codes)


@given(DNA, DNA, st.randoms())
def test_join_and_take_keep_every_sequence(first, second, random):
    whole = join(from_strings(first, labels=[1] * len(first)), from_strings(second, labels=[0] * len(second)))
    assert whole.strings() == first + second
    order = list(range(len(whole)))
    random.shuffle(order)
    assert take(whole, order).strings() == [(first + second)[i] for i in order]
    mask = whole.labels == 0
    assert take(whole, mask).strings() == second
    assert join(from_strings(first), whole).labels is None


def test_a_padded_array_too_large_is_refused_before_it_is_made(tmp_path):
    path = write(tmp_path, "a.fa", ">chr\n" + "A" * 2**20 + "\n" + ">s\nA\n" * 4100)
    with pytest.raises(InputError, match=r"a\.fa: 4,101 sequences .* 4 GiB"):
        read_sequences(path)


FASTA = ">one first\nacgt\nNRAA\n\n>two\nUUU\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.fa", FASTA),
        ("a.txt", FASTA.replace("\n", "\r\n")),
        ("a.fa.gz", gzip.compress(FASTA.encode(), mtime=0)),
        ("misnamed.csv", b"\xef\xbb\xbf" + FASTA.encode()),
        ("a.txt", "ACGTNRAA\n\n  uuu  \n"),
        ("a.csv", "Name, Sequence ,extra\none,acgtNraa,7\ntwo,TTT,\n"),
        ("a.tsv.gz", gzip.compress(b"extra\tSEQUENCE\nx\tACGTNNAA\ny\tTTT\n", mtime=0)),
        ("a.csv", 'sequence\n"ACGTNNAA"\nTTT\n'),
    ],
)
def test_every_format_reads_the_same(tmp_path, name, content):
    seqs = read_sequences(write(tmp_path, name, content))
    assert seqs.strings() == ["ACGTNNAA", "TTT"]
    assert seqs.labels is None


def test_names(tmp_path):
    assert read_sequences(write(tmp_path, "a.fa", FASTA)).names == ("one", "two")
    repeated = ">E. coli 1\nA\n>E. coli 2\nC\n>\nG\n"
    assert read_sequences(write(tmp_path, "b.fa", repeated)).names == ("E._coli_1", "E._coli_2", "sequence_3")
    assert read_sequences(write(tmp_path, "c.csv", "sequence,name\nA,x\nC,\n")).names == ("x", "sequence_2")


def test_labels_are_taken_demanded_or_ignored(tmp_path):
    path = write(tmp_path, "a.csv", "label,sequence\n1,ACGT\n0.0,GG\n")
    assert read_sequences(path).labels.tolist() == [1, 0]
    assert read_sequences(path, labelled=True).labels.tolist() == [1, 0]
    assert read_sequences(path, labelled=False).labels is None


@pytest.mark.parametrize(
    ("name", "values"), [("target", "01"), ("Y", "01"), ("strange", "01"), ("class", ("promoter", "other"))]
)
def test_labels_in_a_column_of_another_name_are_no_positives(tmp_path, name, values):
    path = write(tmp_path, "a.csv", f"sequence,{name}\nACGT,{values[0]}\nGGTA,{values[1]}\nGGTT,{values[1]}\n")
    with pytest.raises(InputError, match=f"no column 'label', and '{name}' looks like one") as said:
        OwnFiles().positives(str(path))
    assert "\n" not in str(said.value)
    assert len(read_sequences(path)) == 3, "predictions need no labels"


def test_a_table_without_labels_is_all_positives_and_says_so(tmp_path):
    table = write(tmp_path, "a.tsv", "sequence\tscore\ttarget\nACGT\t7\tchr1\nGGTA\t5\tchr1\n")
    with pytest.warns(UserWarning, match="no label column: all 2 taken as positives"):
        OwnFiles().positives(str(table))
    for name, text in (("a.fa", ">a,0\nACGT\n>b,1\nGG\n"), ("b.csv", "sequence,target,label\nA,0,0\nC,1,1\n")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            OwnFiles().positives(str(write(tmp_path, name, text)))


def test_a_sequence_longer_than_csvs_own_limit(tmp_path):
    assert read_sequences(write(tmp_path, "a.csv", "sequence\n" + "A" * 200_000)).lengths.tolist() == [200_000]


@pytest.mark.parametrize(
    ("name", "content", "labelled", "complaint"),
    [
        ("a.fa", "", None, "is empty"),
        ("a.fa", " \n\n", None, "is empty"),
        ("a.fa.gz", gzip.compress(b"", mtime=0), None, "is empty"),
        ("a.csv", "sequence,label\n", None, "holds no sequences"),
        ("a.fa", ">x\n>y\nAC\n", None, r"record 1 \('x'\): the sequence is empty"),
        ("a.fa", ">x\nACGT\n>p53\nMEEPQSDPSV\n", None, r"record 2 \('p53'\): the letter 'E' makes this a protein"),
        ("a.fa", ">x\nACGT\nAC-T\n", None, "the character '-' at position 7 is not a base"),
        ("a.txt", "ACGT\n\nAC4T\n", None, "line 3: the character '4' at position 3"),
        ("a.txt", "ACGT\nAÇGT\n", None, "line 2: the character 'Ç'"),
        ("a.fastq", "@r\nACGT\n+\nIIII\n", None, "line 1: the character '@'"),
        ("a.csv", "seq,label\nACGT,1\n", None, "no column 'sequence': line 1, its header, reads 'seq', 'label'"),
        ("a.csv", "seq\nACGT\n", None, "no column 'sequence'"),
        ("a.csv", "sequence,label\nACGT,1\nACGT,2\n", None, "line 3: the label is '2'; expected 0 or 1"),
        ("a.csv", "sequence,label\nACGT,\n", None, "line 2: the label is ''"),
        ("a.csv", "sequence,label\nACGT,1\nACGT\n", None, "line 3: 1 columns where the header has 2"),
        ("a.csv", "sequence,label\n\nACGT,1\nAC!T,1\n", None, "line 4: the character '!'"),
        ("a.csv", "sequence,label\nACGT,1\nACGT,1\n", True, "only sequences of class 1"),
        ("a.csv", "sequence\nACGT\n", True, "carries no labels"),
        ("a.fa", FASTA, True, "carries no labels"),
        ("a.fa.gz", gzip.compress(FASTA.encode() * 99, mtime=0)[:-20], None, "broken gzip"),
        ("a.fa.gz", gzip.compress(FASTA.encode(), mtime=0)[:5], None, "broken gzip"),
        ("a.fa", b">x\nAC\xff\xfeGT\n", None, "not a text file"),
        ("a.xlsx", b"PK\x03\x04\x14\x00\x06\x00\xb5\xb5", None, "not a text file"),
    ],
)
def test_what_cannot_be_read_is_one_clear_sentence(tmp_path, name, content, labelled, complaint):
    path = write(tmp_path, name, content)
    with pytest.raises(InputError, match=complaint) as caught:
        read_sequences(path, labelled)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_sequences(tmp_path / "absent.fa")
    with pytest.raises(InputError, match="is a folder"):
        read_sequences(tmp_path)


def test_contrast_makes_or_takes_negatives():
    positives = from_strings(["ACGTACGGTA", "GGCATNAC"], names=["a", "b"])
    made = contrast(positives, seed=3)
    assert made.labels.tolist() == [1, 1, 0, 0]
    assert made.names == ("a", "b", "a_shuffled", "b_shuffled")
    assert [sorted(text) for text in made.strings()[2:]] == [sorted(text) for text in positives.strings()]
    assert contrast(positives, from_strings(["TTT"])).strings()[2:] == ["TTT"]
    with pytest.raises(InputError):
        contrast(positives, take(positives, []))


def test_letter_case_does_not_reach_the_model_on_ecoli():
    seqs = read_sequences(real("genomics/ecoli-sigma70/sigma70promoter.txt"))
    assert len(seqs) == 1694 and set(seqs.lengths) == {81} and seqs.codes.max() <= 3


def test_sequences_without_a_known_base_are_named(tmp_path):
    path = tmp_path / "s.fa"
    path.write_text(">first\nACGT\n>gap\nNNNN\n")
    with pytest.warns(UserWarning, match="1 of 2 sequences hold no known base .the first is gap."):
        read_sequences(path)
