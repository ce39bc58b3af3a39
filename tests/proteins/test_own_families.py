"""A person's own families: homologues in one part, and a sentence where they cannot be used."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from tests.proteins.writing import ORDER, STRAND, written
from zoo.domain.errors import InputError, LeftOut
from zoo.proteins.alphabet import decode
from zoo.proteins.batch import Example
from zoo.proteins.own_families import OwnFamilies
from zoo.proteins.planted import plant

NUM = 6


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def families() -> list[Example]:
    made = [plant(depth=40, order=ORDER, strand=STRAND, sweeps=4, seed=i) for i in range(NUM)]
    return [Example(f"f{i}", m.alignment, m.native) for i, m in enumerate(made)]


@pytest.fixture
def folder(families, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for family in families:
        written(own, family, structure=True, stem=family.name)
    return own


def parts(folder) -> dict[str, list[str]]:
    return {name: [e.name for e in examples] for name, examples in OwnFamilies(str(folder)).examples().items()}


def test_every_family_is_in_one_part_and_each_has_its_contacts(folder, families):
    found = OwnFamilies(str(folder)).examples()
    names = [e.name for examples in found.values() for e in examples]
    assert sorted(names) == [f.name for f in families] and all(found.values())
    assert len(found["train"]) >= NUM // 2 and all(e.native is not None for part in found.values() for e in part)


def test_homologues_stay_together(folder, families):
    twins = []
    for i in range(3):  # the first family under other names
        twins.append(f"twin{i}")
        written(folder, families[0], structure=True, stem=twins[-1])
    dealt = parts(folder)
    (home,) = [name for name, held in dealt.items() if "f0" in held]
    assert all(twin in dealt[home] for twin in twins)


def test_an_alignment_without_a_structure_is_left_out_and_named(folder):
    (folder / "f3.pdb").unlink()
    with pytest.warns(LeftOut, match="1 of 6 alignments have no structure"):
        dealt = parts(folder)
    assert sorted(name for part in dealt.values() for name in part) == ["f0", "f1", "f2", "f4", "f5"]


def test_too_few_or_too_alike_are_one_sentence(folder, families, tmp_path):
    for name in ("f2", "f3", "f4", "f5"):
        (folder / f"{name}.a3m").unlink()
    with pytest.raises(InputError, match="holds 2 alignments with a structure beside them"):
        OwnFamilies(str(folder)).examples()
    for i in range(3):
        written(folder, families[0], structure=True, stem=f"twin{i}")
    with pytest.raises(InputError, match="too few that are no homologues"):
        OwnFamilies(str(folder)).examples()
    assert OwnFamilies.problems(str(tmp_path / "none")) == [f"folder={tmp_path / 'none'}: there is no such folder"]


def test_names_as_people_and_their_computers_write_them(folder):
    (folder / "f0.a3m").rename(folder / "f0.A3M")
    (folder / "._f1.a3m").write_bytes(b"\x00")
    (folder / "d.fasta").mkdir()
    (folder / "d.pdb").write_text("")
    assert sorted(name for part in parts(folder).values() for name in part) == [f"f{i}" for i in range(NUM)]
    (folder / "f2.fasta").write_text((folder / "f2.a3m").read_text())
    with pytest.raises(InputError, match="several alignments called f2: keep one"):
        parts(folder)
    assert OwnFamilies.problems(2024) == ["folder=2024: there is no such folder"]


def test_a_broken_pair_is_named(folder, families):
    (folder / "f1.a3m").write_text(f">one\n{decode(families[1].alignment.codes[0])}\n")
    with pytest.raises(InputError, match=r"f1\.a3m holds 1 sequence"):
        OwnFamilies(str(folder)).examples()


def test_a_run_from_the_command_line(folder, tmp_path, monkeypatch):
    from zoo.run.train import main as train

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    run = tmp_path / "run"
    small = ["model.family.steps=3", "model.family.heads=4", "backbone.encoder.depth=1", "backbone.encoder.dim=8"]
    train(["experiment=contacts", "data=own_families", f"data.folder={folder}", *small, "trainer.max_epochs=1",
           "logger=csv", "callbacks.progress=null", "trainer.enable_progress_bar=false",
           f"hydra.run.dir={run}"])  # fmt: skip
    assert "P@L_low" in pd.read_csv(run / "scores.csv") and (run / "report.html").is_file()
