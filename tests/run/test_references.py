"""`zoo predict RUN --input FILE --genome FASTA`: files that speak of another."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from zoo.run import cli


def predict(run, path, reference, out) -> pd.DataFrame:
    cli.main(["predict", str(run), "--input", str(path), "--genome", str(reference), "--output", str(out)])
    return pd.read_csv(out)


@pytest.fixture
def genome(tmp_path):
    bases = "".join(np.random.default_rng(0).choice(list("ACGT"), 2000))
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{bases}\n")
    return path, bases


def test_variants_places_and_pairs(tiny_run, genome, tmp_path):
    path, bases = genome
    vcf, bed = tmp_path / "v.vcf", tmp_path / "p.bed"
    vcf.write_text(f"#CHROM\tPOS\tID\tREF\tALT\nchr1\t1000\trs1\t{bases[999]}\t{bases[999]}CC\n")
    bed.write_text("chr1\t500\t600\nchr1\t900\t1100\n")
    table = predict(tiny_run, vcf, path, tmp_path / "v.csv")
    assert table.id.tolist() == ["rs1"]
    assert table.difference[0] == pytest.approx(table.alt_logit[0] - table.ref_logit[0], abs=1e-5) != 0
    assert predict(tiny_run, bed, path, tmp_path / "p.csv").sequence.tolist() == ["chr1:475-625", "chr1:925-1075"]
    (tmp_path / "alt.fa").write_text(f">changed\n{bases[:100]}\n")
    (tmp_path / "ref.fa").write_text(f">was\n{bases[1:101]}\n")
    table = predict(tiny_run, tmp_path / "alt.fa", tmp_path / "ref.fa", tmp_path / "f.csv")
    assert list(table) == ["ref", "alt", "ref_logit", "alt_logit", "difference"] and table.alt[0] == "changed"


def test_mistakes_are_one_sentence(tiny_run, genome, tmp_path, capsys):
    path, bases = genome
    vcf = tmp_path / "v.vcf"
    vcf.write_text(f"chr1\t1000\t.\t{'A' if bases[999] != 'A' else 'C'}\tG\n")
    for words, said in (
        (["predict", "--input", str(vcf)], "give that too, with --genome"),
        (["predict", "--input", str(vcf), "--genome", str(path)], f"the genome has {bases[999]} there"),
        (["predict", "--input", str(vcf), "--genome", str(tmp_path / "no.fa")], "There is no genome"),
    ):
        with pytest.raises(SystemExit, match="2"):
            cli.main([words[0], str(tiny_run), *words[1:], "--output", str(tmp_path / "out.csv")])
        assert said in capsys.readouterr().err and not (tmp_path / "out.csv").exists()
    vcf.write_text(f"chr1\t1000\t.\t{bases[999]}\tN\n")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["explain", str(tiny_run), "--input", str(vcf), "--genome", str(path)])
    assert "score those with `zoo predict`" in capsys.readouterr().err
