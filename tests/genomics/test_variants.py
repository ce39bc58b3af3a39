"""Variants: the right bases in the right window, and the model's own numbers for them."""

import gzip

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from tests.genomics.test_model import detector
from zoo.domain.errors import InputError, LeftOut
from zoo.genomics.attribution import logits
from zoo.genomics.data import PlantedPromoters
from zoo.genomics.inputs import input_loader, referring_loader
from zoo.genomics.intervals import open_genome
from zoo.genomics.planted import plant
from zoo.genomics.sequences import from_strings, take
from zoo.genomics.variants import Variant, allele_windows, pair_loader, read_vcf, vcf_loader

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
BASES = "".join(np.random.default_rng(0).choice(list("ACGT"), 500))


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{BASES}\n>tiny\nACGTAC\n")
    return path


def vcf(folder, *lines, name="v.vcf"):
    path = folder / name
    text = HEADER + "".join("\t".join(line.split()) + "\t.\t.\tX=1\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    return path


def test_alleles_are_put_into_their_surroundings(genome):
    """Of an SNV, a deletion, an insertion and two near the ends; each compared with slicing by hand."""
    g, width = open_genome(genome), 21
    other = {"A": "C", "C": "G", "G": "T", "T": "A"}

    def windows(position, ref_length, alt):
        variant = Variant("chr1", position, ".", BASES[position - 1 : position - 1 + ref_length], alt)
        before, after = allele_windows([variant], g, width)
        assert len(before.strings()[0]) == len(after.strings()[0]) == width
        return before.strings()[0], after.strings()[0]

    snv = other[BASES[249]]
    assert windows(250, 1, snv) == (BASES[239:260], BASES[239:249] + snv + BASES[250:260])
    anchor = BASES[249]
    before, after = windows(250, 4, anchor)  # three bases go
    assert before == BASES[241:262] and after == BASES[241:250] + BASES[253:265]
    before, after = windows(250, 1, anchor + "TTTTT")
    assert after == BASES[239:250] + "TTTTT" + BASES[250:255]
    assert windows(1, 1, "N") == (BASES[:21], "N" + BASES[1:21])
    assert windows(500, 1, "N") == (BASES[479:], BASES[479:499] + "N")


def test_vcf_is_read_allele_by_allele(tmp_path):
    path = vcf(tmp_path, "chr1 5 rs1 A C,TT", "chr1 9 . g t", "chr1 10 . C <DEL>,*", name="v.vcf.gz")
    with pytest.warns(LeftOut, match="2 symbolic"):
        found = read_vcf(path)
    assert [str(v) for v in found] == ["chr1:5 A>C", "chr1:5 A>TT", "chr1:9 G>T"] and found[0].id == "rs1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("chr1 250 . {not_ref} N", "chr1:250 .* the genome has {ref} there"),
        ("chrX 250 . A C", "the genome has no 'chrX': it has chr1, tiny"),
        ("1 250 . A C", "the genome has no '1': it calls it chr1"),
        ("chr1 \u00b2 . A C", "is no variant"),
        ("chr1 0 . A C", "is no variant"),
        ("chr1 x . A C", "is no variant"),
        ("chr1 900 . A C", "the genome has nothing there"),
        ("chr1 250 . {ref} " + "A" * 30, "alleles up to 10 bases can be scored, half of the 21"),
    ],
)
def test_what_cannot_be_scored_is_said(genome, tmp_path, line, said):
    ref = BASES[249]
    words = {"ref": ref, "not_ref": "A" if ref != "A" else "C"}
    with pytest.raises(InputError, match=said.format(**words)) as caught:
        vcf_loader(vcf(tmp_path, line.format(**words)), open_genome(genome), 21)
    assert "\n" not in str(caught.value)


def test_quotes_and_hashes_in_a_vcf_are_letters(tmp_path):
    path = tmp_path / "q.vcf"
    lines = [["chr1", "5", "rs#1", "A", "C", '"', ".", "."], ["chr1", "9", "b", "G", "T", ".", '"x', "."]]
    path.write_text(HEADER + "".join("\t".join(line) + "\n" for line in lines))
    assert [v.id for v in read_vcf(path)] == ["rs#1", "b"]


@pytest.mark.parametrize("at", [3, 245, -4])
def test_both_windows_are_of_the_asked_width_wherever_a_deletion_lies(genome, at):
    chromosome = open_genome(genome)["chr1"]
    position = (at if at > 0 else len(chromosome) + at - 6) + 1
    ref = str(chromosome[position - 1 : position + 8]).upper()
    deletion = Variant("chr1", position, ".", ref, ref[0])
    for sequences in allele_windows([deletion], open_genome(genome), 41):
        assert sequences.lengths.tolist() == [41]


def test_what_is_no_vcf_is_said(tmp_path, genome):
    (tmp_path / "e.vcf").write_text(HEADER)
    (tmp_path / "f.vcf").write_text("chr1\t5\n")
    for name in ("e.vcf", "f.vcf", "none.vcf"):
        with pytest.raises(InputError):
            read_vcf(tmp_path / name)
    with pytest.raises(InputError, match="give that too, with --genome"):
        input_loader(tmp_path / "e.vcf")


@pytest.mark.parametrize("strands", ["given", "both"])
def test_the_difference_is_the_models_own(genome, tmp_path, strands):
    """Against the logits of the two sequences; a variant that changes nothing differs by nothing."""
    model = detector(strands)
    path = vcf(tmp_path, f"chr1 250 a {BASES[249]} {BASES[249]}", f"chr1 260 b {BASES[259:262]} {BASES[259]}")
    (batch,) = vcf_loader(path, open_genome(genome), 41)
    with torch.no_grad():
        table = pd.DataFrame(model.predictions(batch))
    assert list(table) == ["chromosome", "position", "id", "ref", "alt", "ref_logit", "alt_logit", "difference"]
    before, after = allele_windows(read_vcf(path), open_genome(genome), 41)
    for column, sequences in (("ref_logit", before), ("alt_logit", after)):
        np.testing.assert_allclose(table[column], logits(model, torch.from_numpy(sequences.codes)), atol=1e-5)
    assert table.difference[0] == 0 != table.difference[1]
    assert model.embeddings(batch).shape == (2, 20)


def test_pairs_of_fasta(tmp_path):
    (tmp_path / "ref.fa").write_text(">r1\nACGTACGT\n>r2\nGGGG\n")
    (tmp_path / "alt.fa").write_text(">a1\nACGAACGT\n>a2\nGGGGG\n")
    (batch,) = pair_loader(tmp_path / "alt.fa", tmp_path / "ref.fa")
    assert batch.described == {"ref": ["r1", "r2"], "alt": ["a1", "a2"]}
    assert torch.equal(batch.codes[0], torch.from_numpy(from_strings(["ACGAACGT"]).codes[0]))
    (tmp_path / "alt.fa").write_text(">a1\nACGAACGT\n")
    with pytest.raises(InputError, match=r"holds 1 sequences and .* 2: pairs are expected"):
        pair_loader(tmp_path / "alt.fa", tmp_path / "ref.fa")


class _Data:
    """Stands for the data that a model was trained on."""

    def sequences(self, part):
        return take(plant(4, 150, seed=0).sequences, np.arange(4))


def test_windows_are_as_long_as_the_training_sequences(genome, tmp_path):
    path = vcf(tmp_path, f"chr1 250 . {BASES[249]} N")
    (batch,) = referring_loader(path, genome, _Data())
    assert batch.codes.shape == (1, 150)
    (tmp_path / "p.bed").write_text("chr1\t200\t300\n")
    assert referring_loader(tmp_path / "p.bed", genome, _Data()).dataset.sequences.names == ("chr1:175-325",)


def test_a_trained_model_knows_that_length_without_its_data(genome, tmp_path):
    """Its state remembers it; a state from before has none, and the data are asked."""
    model, path = detector(), vcf(tmp_path, f"chr1 250 . {BASES[249]} N")
    old = model.state_dict()
    assert "usual_width" not in old
    trainer = pl.Trainer(max_steps=1, accelerator="cpu", logger=False, enable_checkpointing=False,
                         enable_progress_bar=False, enable_model_summary=False, limit_val_batches=0)  # fmt: skip
    trainer.fit(model, PlantedPromoters(40, 120, batch_size=8))
    other = detector()
    other.load_state_dict(model.state_dict())
    (batch,) = other.open_referring(path, genome, None)
    assert batch.codes.shape == (1, 120)
    model.load_state_dict(old)  # as a run from before goes on
    assert int(model.usual_width) == 120
    (batch,) = detector().open_referring(path, genome, _Data())
    assert batch.codes.shape == (1, 150)


def test_variants_that_their_window_would_not_hold_are_left_out(genome, tmp_path):
    """A deletion at the end of its chromosome, and an insertion behind the last base, would both read 0."""
    deletion, insertion = f"chr1 490 d {BASES[489:499]} {BASES[489]}", f"chr1 500 i {BASES[499]} {BASES[499]}TT"
    path = vcf(tmp_path, f"chr1 250 s {BASES[249]} N", deletion, insertion, f"chr1 500 e {BASES[499]} N")
    with pytest.warns(LeftOut, match="2 of 4 variants .* lie at the end of their chromosome: left out") as said:
        (batch,) = vcf_loader(path, open_genome(genome), 41)
    assert batch.described["id"] == ["s", "e"] and "chr1:500" in said[0].message.everything
    assert (batch.reference != batch.codes).any(1).all()
    with pytest.raises(InputError, match="all 2 variants"):
        vcf_loader(vcf(tmp_path, deletion, insertion), open_genome(genome), 41)
