"""Alignments: what every form of file says, and what a wrong one is answered with."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from Bio import AlignIO
from Bio.Align import MultipleSeqAlignment
from Bio.Seq import Seq
from Bio.SeqRecord import SeqRecord
from hypothesis import given
from hypothesis import strategies as st
from realdata import real

from zoo.domain.errors import InputError
from zoo.proteins.alignment import Alignment, gap_share, subsample, without_gappy
from zoo.proteins.alphabet import GAP, LETTERS, decode, encode
from zoo.proteins.reading import read_alignment

ROWS = {"one": "MKV-LE", "two": "MRVALE", "three": "-RIA-D"}


def written(tmp_path, text: str, name: str = "my.fa"):
    path = tmp_path / name
    path.write_text(text)
    return path


def fasta(rows: dict[str, str]) -> str:
    return "".join(f">{name}\n{text}\n" for name, text in rows.items())


def same(alignment: Alignment) -> bool:
    return [decode(row) for row in alignment.codes] == list(ROWS.values())


@pytest.mark.parametrize("form", ["stockholm", "clustal", "fasta"])
def test_forms_written_by_biopython(form, tmp_path):
    records = [SeqRecord(Seq(text), id=name, description="") for name, text in ROWS.items()]
    AlignIO.write(MultipleSeqAlignment(records), tmp_path / "my.ali", form)
    alignment = read_alignment(tmp_path / "my.ali")
    assert same(alignment) and alignment.names == ("one", "two", "three")


def test_a3m_leaves_insertions_out(tmp_path):
    text = fasta({"one": "MKV-LE", "two": "MRVggALE", "three": "-RIA-kD"})
    assert same(read_alignment(written(tmp_path, text, "my.a3m")))


def test_pfam_fasta_leaves_insert_columns_out(tmp_path):
    text = fasta({"one": "MKV..-LE", "two": "MRVggALE", "three": "-RI.kA-D"})
    assert same(read_alignment(written(tmp_path, text)))


def test_comments_at_the_head_and_a_byte_order_mark_are_no_sequences(tmp_path):
    for form in (fasta(ROWS), "\n".join(ROWS.values())):
        assert same(read_alignment(written(tmp_path, "#6\t1\n\n# by a server\n" + form, "my.a3m")))
    path = tmp_path / "bom.fa"
    path.write_bytes(b"\xef\xbb\xbf" + fasta(ROWS).encode())
    assert same(read_alignment(path))


def test_dots_are_gaps_where_nothing_is_inserted(tmp_path):
    assert same(read_alignment(written(tmp_path, fasta({k: v.replace("-", ".") for k, v in ROWS.items()}))))


def test_lower_case_alone_says_nothing(tmp_path):
    assert same(read_alignment(written(tmp_path, fasta({k: v.lower() for k, v in ROWS.items()}))))


def test_bare_lines_and_gzip(tmp_path):
    path = tmp_path / "my.aln.gz"
    path.write_bytes(gzip.compress("\n".join(ROWS.values()).encode()))
    assert same(read_alignment(path))


def test_letters_that_say_less_than_a_residue_are_gaps(tmp_path):
    alignment = read_alignment(written(tmp_path, fasta({"a": "MXBZUO", "b": "MKVALE"})))
    assert decode(alignment.codes[0]) == "M---CK"


@given(st.text(alphabet=LETTERS, min_size=1, max_size=40))
def test_codes_spell_the_text(text):
    assert decode(encode(text)) == text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        (">a\nMKVL\n", "holds 1 sequence"),
        (">a\nMKVL\n>b\nMKV\n", "not aligned: 'a' has 4 columns and 'b' has 3"),
        (">a\n----\n>b\n----\n", "nothing but gaps"),
        (">a\nACGTACGA\n>b\nACGTTCG-\n", "of nucleotides"),
        (">a\nACGTRYSWKMACGTACGTACGT\n>b\nACGTRYSWKMACBDHVNTACGT\n", "of nucleotides"),
        ("#1\t1\n", "is empty"),
        (">a\nMKV1\n>b\nMKVL\n", "'1' in column 4 of 'a'"),
        ("ATOM      1  N   LYS A  40      27.714  15.214  24.449\n", "a structure, not an alignment"),
        ("this is a letter to my aunt\n", "no alignment"),
        ("# STOCKHOLM 1.0\na MKV\nb MK\n//\n", "Stockholm"),
    ],
)
def test_a_wrong_file_is_one_sentence(text, complaint, tmp_path):
    with pytest.raises(InputError, match=complaint) as error:
        read_alignment(written(tmp_path, text))
    assert "\n" not in str(error.value)


def test_no_file_and_damaged_gzip(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_alignment(tmp_path / "nowhere.fa")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b">a\nMKV\n")[:-9])
    with pytest.raises(InputError, match="damaged gzip"):
        read_alignment(tmp_path / "cut.gz")


def test_filters_by_hand(tmp_path):
    alignment = read_alignment(written(tmp_path, fasta({"a": "MKV-", "b": "M---", "c": "MKVA", "d": "MRV-"})))
    rows, columns = gap_share(alignment)
    assert rows.tolist() == [0.25, 0.75, 0, 0.25] and columns.tolist() == [0, 0.25, 0.25, 0.75]
    kept = without_gappy(alignment, coverage=0.6, column_gaps=0.5)
    assert kept.names == ("a", "c", "d") and kept.kept == (0, 1, 2)
    with pytest.raises(InputError, match="only 1 of 4 sequences"):
        without_gappy(alignment, coverage=1.0)
    with pytest.raises(InputError, match="columns have at most"):
        without_gappy(alignment, column_gaps=0.1)


def test_subsamples_keep_the_query(tmp_path):
    draw = np.random.default_rng(3)
    alignment = Alignment.of(tuple(map(str, range(50))), draw.integers(0, 20, (50, 11)).astype(np.uint8))
    chosen = subsample(alignment, 7, seed=1)
    assert chosen.depth == 7 and chosen.names[0] == "0" and len(set(chosen.names)) == 7
    assert subsample(alignment, 7, seed=1).names == subsample(alignment, 7, seed=1).names
    assert subsample(alignment, 80) is alignment


def test_real_files():
    a3m = read_alignment(real("proteins/esm_examples/hhblits_uniclust_2017_10_1a3a_1_A.a3m"))
    assert a3m.length == 145 and a3m.sequence(0).startswith("LFKLGAENIF")
    headless = read_alignment(real("proteins/esm_examples/5ahw_1_A.a3m"))
    assert headless.names[0] == "" and headless.depth > 100
    packed = read_alignment(real("proteins/attentiondca_pfam/PF00014_mgap6.fasta.gz"))
    assert (packed.depth, packed.length) == (13600, 53)
    seed = read_alignment(real("proteins/radi_1atg/1ATG_A.mfa"))
    assert seed.length == 231 and (seed.codes <= GAP).all()
