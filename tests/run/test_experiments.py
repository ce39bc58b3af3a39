"""Every shipped experiment is composed, checked and stepped once; multirun works; mistakes come together."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from esm_checkpoints import ESM_SHAPE, ITS_SHAPE, published, reference, saved
from PIL import Image
from realdata import MIRROR, real

from zoo.run.folder import RunFolder
from zoo.run.overrides import find_mistakes
from zoo.run.paths import conf_dir
from zoo.run.train import SUPPLIED, main

EXPERIMENTS = sorted(path.stem for path in (conf_dir() / "experiment").glob("*.yaml"))
NEEDS = {
    "jund": "genomics/gue-mouse-jund",
    "nucleotide_transformer": "genomics/gue-prom300-tata",
    "promoter_tata": "genomics/gue-prom300-tata",
    "promoter_tata_shuffled": "genomics/gue-prom300-tata",
    "ctcf": "genomics/chip-ctcf-gm12878",
    "sigma70": "genomics/ecoli-sigma70",
    "sigma70_shuffled": "genomics/ecoli-sigma70",
    "contacts": "proteins/kortemme_covariation",
    "contacts_esm": "proteins/cgdms_chains",
    "contacts_sequence": "proteins/cgdms_chains",
    "forecast": "graphs/supplygraph",
    "clothing": "vision/clothing-small",
    "bccd": "vision/bccd",
}


def vit_tiny(folder: Path) -> Path:
    """A file of timm's ViT-Tiny with one block, random weights."""
    theirs = timm.create_model("vit_tiny_patch16_224", depth=1)
    torch.save(theirs.state_dict(), folder / "vit.pth")
    return folder / "vit.pth"


QUICK = ["debug=fast_dev_run", "callbacks.progress=null", "trainer.enable_progress_bar=false"]


def words(name: str, folder: Path) -> list[str]:
    if name == "motifs":
        fasta = folder / "my.fa"
        draw = random.Random(0)
        fasta.write_text("".join(f">s{i}\n{''.join(draw.choices('ACGT', k=60 + i % 9))}\n" for i in range(80)))
        return [f"experiment={name}", f"data.positives={fasta}"]
    if name.startswith("images"):
        for i in range(40):
            path = folder / "images" / "ab"[i % 2] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20 + i, 60 - i), (i, 99, 200 - i)).save(path)
        start = [f"callbacks.start.weights={vit_tiny(folder)}", "backbone.depth=1"] if name != "images" else []
        return [f"experiment={name}", f"data.images={folder / 'images'}", *start]
    if name in ("image", "image_shuffled"):
        return [f"experiment={name}", "data.num_images=60"]
    if name == "nucleotide_transformer":
        published(folder / "weights", "nt_v2")
        return [f"experiment={name}", f"callbacks.start.weights={folder / 'weights'}", *ITS_SHAPE]
    if name.startswith("promoter") and name not in NEEDS:
        return [f"experiment={name}", "data.num_sequences=200"]
    if name == "contacts_sequence":
        return [f"experiment={name}", "data.first=8"]
    if name == "contacts_esm":
        saved(reference("esm2"), folder / "weights")
        return [f"experiment={name}", "data.first=8", f"callbacks.start.weights={folder / 'weights'}", *ESM_SHAPE]
    if name.startswith("contacts"):
        few = ["data.num_families=7", "data.depth=30"] if name not in NEEDS else []
        return [f"experiment={name}", "model.family.steps=2", *few]
    return [f"experiment={name}"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_is_checked_and_stepped_once(name, tmp_path, monkeypatch):
    if name in NEEDS:
        real(NEEDS[name])
        monkeypatch.setenv("ZOO_DATA", str(MIRROR))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    asked = [*words(name, tmp_path), *QUICK, f"hydra.run.dir={tmp_path / 'run'}"]
    assert find_mistakes(asked, conf_dir(), "train", SUPPLIED) == []
    main(asked)
    assert (tmp_path / "run" / "config.yaml").is_file()


def test_a_run_finds_its_files_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    words("motifs", tmp_path)
    main(["experiment=motifs", "data.positives=my.fa", "data.negatives=shuffled", *QUICK,
          f"hydra.run.dir={tmp_path / 'run'}"])  # fmt: skip
    config = RunFolder.open(tmp_path / "run").config()
    assert config.data.positives == str(tmp_path / "my.fa") and config.data.negatives == "shuffled"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_says_what_it_is(name):
    lines = (conf_dir() / "experiment" / f"{name}.yaml").read_text().splitlines()
    assert lines[0] == "# @package _global_" and len(lines[1]) > 20 and lines[1].startswith("# ")


def test_all_mistakes_come_together_before_anything_is_built(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "experiment=motifs",
                "data.positives=nowhere.fa",
                "data.batch_size=abc",
                "trainer.max_epoch=5",
                "backbone=smal",
            ]
        )
    assert stop.value.code == 2
    said = capsys.readouterr().err
    for part in ("nowhere.fa", "expected int", "did you mean trainer.max_epochs?", "did you mean small?"):
        assert part in said
    assert not list(tmp_path.iterdir())


def test_a_data_set_that_is_not_here_is_said_at_once(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SystemExit):
        main(["experiment=jund"])
    assert "gue-mouse-jund" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("word", ["logger=none", "debug=overfit", "model=promoter_kmer"])
def test_a_whole_epoch_runs_with(word, train_tiny):
    folder = train_tiny(word, "trainer.max_epochs=1")
    assert (folder / "report.html").is_file()
    assert (folder / "metrics.csv").exists() == (word != "logger=none")


def test_multirun_trains_each_seed_in_a_folder_of_its_own(tmp_path):
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [
            sys.executable, "train.py", "-m", "sweep=seeds", *QUICK, "data.num_sequences=200",
            f"hydra.sweep.dir={tmp_path / 'sweep'}",
        ],
        cwd=repository, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    configs = sorted((tmp_path / "sweep").glob("*/config.yaml"))
    assert [c.parent.name for c in configs] == ["0", "1", "2"]
    assert [next(line for line in c.read_text().splitlines() if line.startswith("seed:")) for c in configs] == [
        "seed: 0",
        "seed: 1",
        "seed: 2",
    ]
