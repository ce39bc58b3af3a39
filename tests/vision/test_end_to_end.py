"""From a folder of odd images to a run, a table of predictions and an explanation; and the planted truth."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.vision.test_reading import odd_folder

QUIET = ["logger=csv", "callbacks.progress=null", "trainer.enable_progress_bar=false"]
TINY = ["data.num_images=64", "backbone.depth=1", "backbone.dim=32", "data.batch_tokens=1000", "trainer.max_epochs=2"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from zoo.run.train import main

    folder = tmp_path_factory.mktemp("images") / "run"
    before, sys.argv = sys.argv, ["train.py"]
    try:
        main(["experiment=image", *TINY, *QUIET, f"hydra.run.dir={folder}"])
    finally:
        sys.argv = before
    return folder


def test_a_run_leaves_what_a_person_reads(run):
    assert (run / "report.html").stat().st_size > 50_000
    scores = pd.read_csv(run / "scores.csv")
    assert list(scores.model) == [
        "attention",
        "size alone",
        "thumbnail regression",
        "thumbnail forest",
        "edge regression",
    ]
    insight = run / "insight"
    for name in ("gallery.png", "perturbation.png", "distance.png", "head_maps.png", "pointing.csv", "tests.csv"):
        assert (insight / name).is_file(), name
    maps = sorted((insight / "maps").glob("*.npy"))
    assert maps and np.load(maps[0]).ndim == 2
    metrics = pd.read_csv(run / "metrics.csv")
    assert metrics["valid/balanced_accuracy"].notna().sum() == 2  # both epochs were trained


def test_the_classes_come_back_with_the_weights(run):
    from zoo.run.folder import RunFolder

    model = RunFolder.open(run).model()
    assert model.classes == ("checks", "horizontal", "rings", "vertical") and model.head[1].out_features == 4


def test_predict_and_explain_a_folder_of_odd_images(run, tmp_path, capsys):
    from zoo.run.cli import main

    images = tmp_path / "my images"
    bad = odd_folder(images, per_class=2)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        main(["predict", str(run), "--input", str(images), "--output", str(tmp_path / "p.csv"), "--embeddings"])
    told = "".join(str(w.message) for w in said)
    assert all(name in told for name in bad) and "5 of 11 images" in told
    with pytest.raises(SystemExit):
        main(["predict", str(run), "--input", str(images), "--output", str(tmp_path / "none.csv"), "--strict"])
    listed = capsys.readouterr().err
    assert all(name in listed for name in bad) and not (tmp_path / "none.csv").exists()
    table = pd.read_csv(tmp_path / "p.csv")
    assert len(table) == 6 and set(table["class"]) <= {"checks", "horizontal", "rings", "vertical"}
    np.testing.assert_allclose(table[["checks", "horizontal", "rings", "vertical"]].sum(1), 1, atol=1e-5)
    assert np.load(tmp_path / "p.npy").shape == (6, 32)
    assert dict(zip(table.image, table.width, strict=True))["dog/line.png"] == 5000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main(["explain", str(run), "--input", str(images), "--output", str(tmp_path / "e")])
    assert (tmp_path / "e" / "gallery.png").is_file() and not (tmp_path / "e" / "pointing.csv").exists()
    with pytest.raises(SystemExit):
        main(["test", str(run), "--input", str(images)])
    assert "has labels that the model has not learned (cat, dog)" in capsys.readouterr().err


def test_mistakes_are_said_before_anything_is_built(tmp_path, capsys, monkeypatch):
    from zoo.run.train import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(
            ["experiment=images", "data.images=nowhere", "data.fold=7", "model.sizing.scale=big", "data.augment.crop=2"]
        )
    said = capsys.readouterr().err
    for part in ("nowhere: there is no such path", "fold=7", "scale", "crop=2"):
        assert part in said, said


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_saliency_lands_on_the_planted_object_and_a_control_learns_nothing(tmp_path, monkeypatch):
    from zoo.run.train import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    main(["experiment=image", *QUIET, f"hydra.run.dir={tmp_path / 'run'}"])
    scores = pd.read_csv(tmp_path / "run" / "scores.csv").set_index("model")
    assert scores.balanced_accuracy["attention"] > 0.9 > 0.5 > scores.balanced_accuracy["thumbnail forest"]
    hits = pd.read_csv(tmp_path / "run" / "insight" / "pointing.csv").set_index("saliency")
    for kind in ("attention x gradient", "rollout", "integrated gradients"):
        assert hits.hits[kind] > 0.85 and hits["hits low"][kind] > hits["hits high"]["random"]
    tests = pd.read_csv(tmp_path / "run" / "insight" / "tests.csv")
    assert (tests.confirmed == "yes").all()
    main(["experiment=image_shuffled", *QUIET, f"hydra.run.dir={tmp_path / 'control'}"])
    control = pd.read_csv(tmp_path / "control" / "scores.csv").set_index("model")
    assert control["balanced_accuracy_low"]["attention"] < 0.25 < 0.35
    landed = pd.read_csv(tmp_path / "control" / "insight" / "pointing.csv").set_index("saliency")
    assert landed.mass["attention x gradient"] < hits.mass["attention x gradient"] - 0.15


def test_baselines_of_a_set_that_thumbnails_can_tell():
    from zoo.vision.baselines import baselines
    from zoo.vision.batch import ImageSet, Sizing
    from zoo.vision.catalogue import Item

    draw = np.random.default_rng(0)

    def part(count: int) -> ImageSet:
        made = []
        for i in range(count):
            tall = i % 2
            picture = Image.new("RGB", (20 + 20 * tall, 30), (200 * (i // 2 % 2), 40, 40))
            made.append(Item(f"i{i}", None, "ab"[i // 2 % 2], size=(30, 20 + 20 * tall), picture=picture))
        order = draw.permutation(count)
        return ImageSet([made[i] for i in order], ("a", "b"), Sizing())

    train, test = part(60), part(40)
    labels = torch.tensor(test.labels)
    score = {name: float((p.argmax(1) == labels).float().mean()) for name, p in baselines(train, test).items()}
    assert score["thumbnail forest"] == score["thumbnail regression"] == 1.0
    assert 0.3 <= score["size alone"] <= 0.7  # the colour is the class, the size is not


def test_the_average_of_the_weights_is_what_is_kept(tmp_path, monkeypatch):
    from zoo.run.train import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    main(["experiment=image", "callbacks=averaged", *TINY, *QUIET, f"hydra.run.dir={tmp_path / 'run'}"])
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    kept, current = state["state_dict"], state["current_model_state"]
    assert torch.equal(kept["class_names"], current["class_names"])
    assert not torch.equal(kept["head.1.weight"], current["head.1.weight"])
    assert (tmp_path / "run" / "report.html").is_file()


def test_heads_are_studied_image_by_image(run):
    from zoo.run.cli import main

    main(["heads", str(run), "--output", str(run / "studied"), "--batches", "1"])
    table = pd.read_csv(run / "studied" / "heads.csv")
    assert len(table) == 4 and table.cluster.notna().all()  # packed in one row, no two images could be compared


def test_another_run_probes_what_one_has_learned(run, tmp_path, monkeypatch):
    from zoo.run.folder import RunFolder
    from zoo.run.train import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    odd_folder(tmp_path / "animals", per_class=12)
    data = ["data=own_images", "data.images=animals"]
    start = ["callbacks=from_run", f"callbacks.start.weights={run}", "callbacks.start.probe=true"]
    words = ["experiment=image", *[word for word in TINY if "num_images" not in word], *QUIET, "insight=false"]
    main([*words, *data, *start, "hydra.run.dir=probe"])
    first, probe = RunFolder.open(run).model(), RunFolder.open(tmp_path / "probe").model()
    image = torch.randn(3, 48, 80)
    assert torch.equal(probe.vectors([image]), first.vectors([image]))
    assert probe.classes == ("cat", "dog") and probe.head[1].weight.abs().max() > 0
    main(["experiment=image", *TINY, *QUIET, "insight=false", *start[:2], "hydra.run.dir=tuned"])
    tuned = RunFolder.open(tmp_path / "tuned").model()
    assert not torch.equal(tuned.vectors([image]), first.vectors([image]))
