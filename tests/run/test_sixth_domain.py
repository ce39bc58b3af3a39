"""A domain nobody planned for works by new files alone, and the floors that make this so are respected."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.domain.errors import InputError
from zoo.run import cli
from zoo.run.folder import RunFolder
from zoo.run.paths import conf_dir
from zoo.run.train import main as train

# ---- the domain: lists of digits; is their sum small, middling or large?

DATA = '''
"""Lists of digits, read or drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from zoo.domain.data import PARTS, DomainData
from zoo.domain.errors import InputError

SIZES = ("small", "middling", "large")
PAD = 10


class Batch(NamedTuple):
    digits: Tensor  # [B, n], filled up with PAD
    sizes: Tensor  # [B], -1 where unknown
    names: tuple[str, ...]


class Lists(Dataset):
    def __init__(self, lists: list[list[int]], sizes: list[int]):
        self.lists, self.sizes = lists, sizes

    def __len__(self) -> int:
        return len(self.lists)

    def __getitem__(self, i: int):
        return self.lists[i], self.sizes[i], f"list {i + 1}"


def collate(examples) -> Batch:
    width = max(len(digits) for digits, _, _ in examples)
    rows = [digits + [PAD] * (width - len(digits)) for digits, _, _ in examples]
    return Batch(torch.tensor(rows), torch.tensor([s for _, s, _ in examples]), tuple(n for _, _, n in examples))


class DrawnLists(DomainData):
    collate = staticmethod(collate)

    def __init__(self, num_lists: int, longest: int = 8, batch_size: int = 64, num_workers: int = 0, seed: int = 0):
        super().__init__(batch_size, num_workers, seed)
        self.num_lists, self.longest = num_lists, longest

    @classmethod
    def problems(cls, num_lists: int, longest: int, **rest) -> list[str]:
        return [] if longest >= 3 else [f"longest={longest}: lists have three digits or more"]

    def parts(self) -> Mapping[str, Dataset]:
        draw = np.random.default_rng(self.seed)
        lists = [draw.integers(0, 10, draw.integers(3, self.longest + 1)).tolist() for _ in range(self.num_lists)]
        sizes = [int(sum(digits) > 18) + int(sum(digits) > 28) for digits in lists]
        return {part: Lists(lists[i::3], sizes[i::3]) for i, part in enumerate(PARTS)}


def read_lists(path: Path, labelled: bool) -> DataLoader:
    """One list a line, `3 1 4`; with its label `3 1 4 = small`."""
    if not Path(path).is_file():
        raise InputError(f"{path}: there is no such file")
    lists, sizes = [], []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        digits, _, size = (part.strip() for part in line.partition("="))
        if not digits or not all(word in "0123456789" and len(word) == 1 for word in digits.split()):
            raise InputError(f"{path}, line {number}: expected digits with blanks between, got {line!r}")
        if labelled and size not in SIZES:
            raise InputError(f"{path}, line {number}: expected '= {' | '.join(SIZES)}' at its end, got {line!r}")
        lists.append([int(word) for word in digits.split()])
        sizes.append(SIZES.index(size) if size in SIZES else -1)
    if not lists:
        raise InputError(f"{path} is empty")
    return DataLoader(Lists(lists, sizes), batch_size=4, collate_fn=collate)
'''

MODEL = '''
"""Digits -> tokens -> the shared backbone -> attention pooling -> three logits."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure as Canvas
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy

from zoo.attention import AttentionPool, Backbone, Padding, Received, observe
from zoo.domain.insight import Figure, Insight, Table
from zoo.domain.module import DomainModule, Outcome
from zoo.domain.optim import AdamW
from zoo.sums.data import PAD, SIZES, Batch, read_lists


class SumReader(DomainModule):
    def __init__(self, backbone: Backbone, optimizer: AdamW, pool_heads: int = 2):
        super().__init__(backbone, optimizer)
        self.embedding = nn.Embedding(PAD + 1, backbone.dim, padding_idx=PAD)
        self.pool = AttentionPool(backbone.dim, pool_heads)
        self.head = nn.Linear(backbone.dim, len(SIZES))

    def embeddings(self, batch: Batch) -> Tensor:
        encoded = self.backbone(self.embedding(batch.digits), Padding(batch.digits != PAD))
        return self.pool(encoded.tokens, encoded.mask)

    def outcome(self, batch: Batch) -> Outcome:
        logits = self.head(self.embeddings(batch))
        return Outcome(F.cross_entropy(logits, batch.sizes, ignore_index=-1), logits.softmax(-1), batch.sizes)

    def new_metrics(self) -> MetricCollection:
        return MetricCollection({"accuracy": MulticlassAccuracy(len(SIZES), average="micro")})

    def predictions(self, batch: Batch) -> Mapping[str, Sequence]:
        probability = self.head(self.embeddings(batch)).softmax(-1)
        columns = {f"p_{size}": probability[:, i].tolist() for i, size in enumerate(SIZES)}
        return {"list": list(batch.names), "size": [SIZES[i] for i in probability.argmax(-1)], **columns}

    def open_input(self, path: Path, labelled: bool = False) -> DataLoader:
        return read_lists(path, labelled)

    @torch.no_grad()
    def insight(self, data: pl.LightningDataModule | DataLoader) -> Insight:
        """Attention that the digits of each place receive in the backbone, on average over lists, heads and layers."""
        loader = data.test_dataloader() if isinstance(data, pl.LightningDataModule) else data
        totals, counts = np.zeros(0), np.zeros(0)
        for batch in loader:
            batch = self.transfer_batch_to_device(batch, self.device, 0)
            with observe(self, received := Received(), layers="backbone"):
                self.embeddings(batch)
            grown = max(len(totals), batch.digits.shape[1])
            totals, counts = (np.pad(a, (0, grown - len(a))) for a in (totals, counts))
            given = torch.stack(list(received.result().values())).mean((0, 2)).cpu().numpy()
            here = (batch.digits != PAD).cpu().numpy()
            totals[: given.shape[1]] += (given * here).sum(0)
            counts[: given.shape[1]] += here.sum(0)
        frame = pd.DataFrame({"place": np.arange(1, len(totals) + 1), "received": totals / counts, "lists": counts})
        picture, canvas = io.BytesIO(), Canvas(figsize=(2, 1))
        canvas.subplots().bar(frame.place, frame.received)
        canvas.savefig(picture, format="png")
        most = int(frame.place[frame.received.idxmax()])
        return Insight(
            headline=f"The digits at place {most} receive the most attention.",
            tables=(Table("places", "Attention received", frame),),
            figures=(Figure("places", "Attention received", picture.getvalue()),),
            files={"places.txt": "\\n".join(f"{share:.6f}" for share in frame.received) + "\\n"},
            scores={"most_attended_place": most, "attention_per_list": float(totals.sum() / counts[0])},
        )
'''

CONF = {
    "data/sums.yaml": """
        _target_: zoo.sums.data.DrawnLists
        _convert_: all
        num_lists: 1800
        longest: 8
        batch_size: 20
        seed: ${seed}
    """,
    "model/sums.yaml": """
        _target_: zoo.sums.model.SumReader
        _convert_: all
        backbone: ${backbone}
        optimizer: ${optimizer}
        pool_heads: 2
    """,
    "experiment/sums.yaml": """
        # @package _global_
        # lists of digits: is their sum small, middling or large?
        defaults:
          - override /data: sums
          - override /model: sums
        name: sums
        monitor: {metric: valid/accuracy}
        backbone: {dim: 32, depth: 1, num_heads: 2}
        optimizer: {learning_rate: 1.0e-2}
        trainer: {max_epochs: 4}
    """,
}


@pytest.fixture(scope="module")
def sums(tmp_path_factory) -> Iterator[Path]:
    """The domain, in a folder of its own beside a copy of `conf/`; nothing else of the repository is changed."""
    folder = tmp_path_factory.mktemp("sixth")
    package, conf = folder / "zoo" / "sums", folder / "conf"
    package.mkdir(parents=True)
    for name, source in {"__init__.py": "", "data.py": DATA, "model.py": MODEL}.items():
        (package / name).write_text(source)
    shutil.copytree(conf_dir(), conf)
    for name, lines in CONF.items():
        (conf / name).write_text("\n".join(line.removeprefix(" " * 8) for line in lines.strip("\n").splitlines()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "__path__", [*zoo.__path__, str(folder / "zoo")])
        for module in ("paths", "train", "cli", "audit"):
            patch.setattr(importlib.import_module(f"zoo.run.{module}"), "conf_dir", lambda: conf)
        patch.setattr(sys, "argv", ["train.py"])
        patch.chdir(folder)
        yield folder
    for name in [name for name in sys.modules if name == "zoo.sums" or name.startswith("zoo.sums.")]:
        del sys.modules[name]
    vars(zoo).pop("sums", None)


WORDS = ["experiment=sums", "logger=csv", "callbacks.progress=null", "trainer.enable_progress_bar=false"]


@pytest.fixture(scope="module")
def trained(sums) -> Path:
    """One run of four epochs. Tests that change it take a copy."""
    folder = sums / "run"
    train([*WORDS, f"run_dir={folder}"])
    return folder


@pytest.fixture
def own(tmp_path) -> Path:
    path = tmp_path / "own.txt"
    path.write_text("1 0 2 = small\n9 9 8 9 9 9 = large\n1 1 1 1 = small\n9 9 9 9 9 9 9 9 = large\n0 0 1 = small\n")
    return path


def test_it_trains_and_leaves_what_every_domain_leaves(trained):
    """config.yaml, checkpoints, metrics, scores, the insight as CSV, PNG and file, and the report with all of it."""
    assert RunFolder.open(trained).config().data._target_ == "zoo.sums.data.DrawnLists"
    assert {p.name for p in (trained / "checkpoints").iterdir()} >= {"best.ckpt", "last.ckpt"}
    assert "torch" in json.loads((trained / "environment.json").read_text())
    metrics = pd.read_csv(trained / "metrics.csv")
    assert metrics["valid/accuracy"].count() == 4
    (score,) = pd.read_csv(trained / "scores.csv").to_dict("records")
    assert score["model"] == "attention"
    assert score["accuracy_low"] <= score["accuracy"] <= score["accuracy_high"]
    assert np.isclose(score["accuracy"], metrics["test/accuracy"].dropna().iloc[-1])
    assert score["accuracy_low"] > 0.5, "three classes of like size: it has learned nothing"
    insight = trained / "insight"
    assert {p.name for p in insight.iterdir()} == {"headline.txt", "places.csv", "places.png", "places.txt"}
    assert (insight / "places.png").read_bytes().startswith(b"\x89PNG")
    places = pd.read_csv(insight / "places.csv")
    assert list(places.lists[:3]) == [600, 600, 600] and places.lists.is_monotonic_decreasing and len(places) == 8
    report = (trained / "report.html").read_text()
    for shown in ((insight / "headline.txt").read_text().strip(), "Attention received", "data:image/png", "accuracy"):
        assert shown in report
    assert not re.search("|".join(DOMAINS), report), "the report speaks of a domain that is not this one"


def test_every_token_of_a_list_hands_out_its_attention_once(trained):
    """The insight's own numbers are right: what a list's digits receive adds up to how many digits it has."""
    places = pd.read_csv(trained / "insight" / "places.csv")
    lists = RunFolder.open(trained).data().part("test").lists
    assert np.isclose((places.received * places.lists).sum(), sum(map(len, lists)), rtol=1e-4)


def test_its_own_mistakes_are_found_before_anything_starts(sums, capsys):
    """`problems`, the type hints and "did you mean" speak of the new classes."""
    with pytest.raises(SystemExit, match="2"):
        train([*WORDS, "data.longest=2", "model.pool_heads=many", "data.num_list=9", f"hydra.run.dir={sums / 'no'}"])
    said = " ".join(capsys.readouterr().err.split())
    assert "data.longest=2: lists have three digits or more" in said
    assert "model.pool_heads=many: expected int" in said
    assert "data.num_list: " in said and "data.num_lists" in said
    assert not (sums / "no").exists()


def test_audit_says_that_it_has_none(sums, capsys):
    """The hook is there for every domain; one that says nothing about its data is not made to."""
    with pytest.raises(SystemExit, match="2"):
        cli.main(["audit", "experiment=sums", "data.num_lists=90"])
    assert "DrawnLists has no audit" in capsys.readouterr().err
    assert not (sums / "runs").exists()


def test_list_shows_its_experiment(sums, capsys):
    """`zoo list` needs no registry."""
    cli.main(["list"])
    assert "lists of digits: is their sum small" in " ".join(capsys.readouterr().out.split())


def test_predict_writes_its_table_and_vectors(trained, own, tmp_path):
    """`zoo predict --embeddings` on lists of several lengths, in several batches."""
    out = tmp_path / "p.csv"
    cli.main(["predict", str(trained), "--input", str(own), "--output", str(out), "--embeddings"])
    table = pd.read_csv(out)
    assert list(table) == ["list", "size", "p_small", "p_middling", "p_large"]
    run = RunFolder.open(trained)
    model, sums_data = run.model(), importlib.import_module("zoo.sums.data")
    with torch.no_grad():
        one_by_one = [
            model.outcome(sums_data.collate([example])).prediction[0].numpy()
            for example in model.open_input(own).dataset
        ]
    np.testing.assert_allclose(table[["p_small", "p_middling", "p_large"]], one_by_one, atol=1e-4)
    assert list(table["size"]) == [sums_data.SIZES[p.argmax()] for p in one_by_one]
    assert list(table["list"]) == [f"list {i}" for i in range(1, 6)]
    assert np.load(out.with_suffix(".npy")).shape == (5, 32)


def test_test_scores_the_test_part_and_a_persons_own_file(trained, own, capsys):
    """`zoo test`, without and with `--input`."""
    cli.main(["test", str(trained)])
    score = pd.read_csv(trained / "scores.csv").accuracy[0]
    assert f"{score:.3f}" in capsys.readouterr().out
    cli.main(["test", str(trained), "--input", str(own)])
    assert "accuracy" in capsys.readouterr().out


@pytest.fixture(scope="module")
def again(sums) -> Path:
    """The same data, weights drawn anew."""
    train([*WORDS, f"run_dir={sums / 'again'}", "seed=5", "data.seed=0", "trainer.max_epochs=1", "insight=false"])
    assert "zoo explain" in (sums / "again/insight/headline.txt").read_text()
    assert (sums / "again/scores.csv").is_file() and len(list((sums / "again/insight").iterdir())) == 1
    return sums / "again"


def test_of_several_runs_the_mean_is_predicted(trained, again, own, tmp_path):
    said = []
    for runs in ([trained], [again], [trained, again]):
        out = tmp_path / f"{len(said)}.csv"
        cli.main(["predict", *map(str, runs), "--input", str(own), "--output", str(out)])
        said.append(pd.read_csv(out))
    numbers = ["p_small", "p_middling", "p_large"]
    assert (said[0][numbers] - said[1][numbers]).abs().max().max() > 0.01
    np.testing.assert_allclose(said[2][numbers], (said[0][numbers] + said[1][numbers]) / 2, atol=1e-6)
    assert ("size" in said[2]) == said[0]["size"].equals(said[1]["size"]) and "list" in said[2]


def test_of_several_runs_the_mean_is_tested_if_they_share_the_test_part(sums, trained, again, capsys):
    cli.main(["test", str(trained), str(again)])
    said = capsys.readouterr().out
    assert "the first alone" in said and said.count("0.") > 6
    train([*WORDS, f"run_dir={sums / 'elsewhere'}", "seed=6", "trainer.max_epochs=1"])
    capsys.readouterr()
    for runs, reason in (((trained, sums / "elsewhere"), "another test part"), ((trained, trained), "named once")):
        with pytest.raises(SystemExit):
            cli.main(["test", *map(str, runs)])
        assert reason in " ".join(capsys.readouterr().err.split())


def test_explain_of_the_test_part_says_what_training_said(trained, tmp_path):
    """`zoo explain RUN` from config and checkpoint alone gives the insight of the end of training."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    cli.main(["explain", str(run), "--output", str(tmp_path / "again")])
    before, after = (pd.read_csv(folder / "places.csv") for folder in (trained / "insight", tmp_path / "again"))
    pd.testing.assert_frame_equal(before, after, rtol=1e-4)


def test_explain_of_a_persons_own_file_writes_insight_and_report(trained, own, tmp_path):
    """`zoo explain RUN --input`: the same record, about another input."""
    out = tmp_path / "out"
    cli.main(["explain", str(trained), "--input", str(own), "--output", str(out)])
    assert list(pd.read_csv(out / "places.csv").lists) == [5, 5, 5, 3, 2, 2, 1, 1]
    assert (out / "headline.txt").read_text().strip() in (out / "report.html").read_text()


def test_resume_goes_on_where_it_stopped(trained, tmp_path):
    """`zoo resume RUN trainer.max_epochs=5` adds one epoch, in the folder where the run lies now."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*")}
    cli.main(["resume", str(run), "trainer.max_epochs=5"])
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert (state["epoch"], state["global_step"]) == (4, 150)
    assert pd.read_csv(run / "metrics.csv")["valid/accuracy"].count() == 5
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*")} == before, "it wrote to where it came from"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such file"),
        ("", "is empty"),
        ("1 2 = small\n3 x = small\n", "line 2: expected digits"),
        ("1 2 = huge\n", "line 1: expected '= small | middling | large'"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_in_one_sentence(trained, tmp_path, capsys, text, said):
    """The domain's InputError reaches the person without a traceback, with exit status 2."""
    path = tmp_path / "bad.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=re.escape(said)):
        RunFolder.open(trained).model().open_input(path, labelled=True)
    with pytest.raises(SystemExit, match="2"):
        cli.main(["test", str(trained), "--input", str(path)])
    printed = " ".join(capsys.readouterr().err.split())
    assert said in printed and "Traceback" not in printed


# ---- the floors

PACKAGE = Path(zoo.__file__).parent
SHARED = ("attention", "domain", "heads", "run")
PLANNED = ("genomics", "vision", "proteins", "graphs", "language")
DOMAINS = sorted({*PLANNED, *(p.parent.name for p in PACKAGE.glob("*/__init__.py"))} - set(SHARED))


def imported(source: str, module: str) -> set[str]:
    """Dotted names of `zoo` that a module imports, at any depth of its code. `module` ends in `__init__` if it is one.

    `from zoo import genomics` and `from ..genomics import data` count as what they are.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            found |= {f"{origin}.{name.name}" for name in node.names}
    return {name for name in found if name.split(".")[0] == "zoo"}


def texts(source: str) -> Iterator[str]:
    """String constants, those of f-strings included; docstrings are left out."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def strangers(module: str, names: set[str]) -> set[str]:
    """Which of the imported names a module's floor does not allow."""
    floor = module.split(".")[1]
    if floor == "attention":
        allowed = {"attention"}
    elif floor == "domain":
        allowed = {"attention", "domain"}
    elif floor == "run":
        return {name for name in names if name.split(".")[1:2] and name.split(".")[1] in DOMAINS}
    else:
        allowed = {"attention", "domain", floor}
    return {name for name in names if name.split(".")[1:2] == [] or name.split(".")[1] not in allowed}


MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.parent != PACKAGE and not any(part.startswith("_") for part in path.relative_to(PACKAGE).parts[:-1])
}


def test_imports_point_down():
    """attention knows itself alone, domain also attention, a domain these two and itself, run no domain."""
    assert {"attention", "domain", "run", "genomics"} <= {module.split(".")[1] for module in MODULES}
    found = {module: imported(path.read_text(encoding="utf-8"), module) for module, path in MODULES.items()}
    assert "zoo.attention.attend.Attend" in found["zoo.attention.observe"]
    wrong = {module: sorted(bad) for module, names in found.items() if (bad := strangers(module, names))}
    assert not wrong


def test_the_verbs_name_no_domain():
    """No text in zoo.run, and no file of its template, holds a domain's name."""
    name = re.compile(rf"\b({'|'.join(DOMAINS)})\b", re.IGNORECASE)
    found = {
        module: hits
        for module, path in MODULES.items()
        if module.startswith("zoo.run.")
        and (hits := [text for text in texts(path.read_text(encoding="utf-8")) if name.search(text)])
    }
    assert not found
    template = [path for path in (PACKAGE / "run" / "template").rglob("*") if path.is_file()]
    assert template and not [path for path in template if name.search(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("zoo.attention.attend", "from zoo.domain.errors import InputError"),
        ("zoo.attention.attend", "import zoo"),
        ("zoo.attention.attend", "from ..run import cli"),
        ("zoo.domain.module", "def late():\n    import zoo.run.files"),
        ("zoo.domain.__init__", "from ..genomics import data"),
        ("zoo.domain.__init__", "from .. import genomics"),
        ("zoo.genomics.model", "from zoo import run"),
        ("zoo.genomics.model", "from zoo.vision import patches"),
        ("zoo.run.cli", "from zoo.genomics.data import PlantedPromoters"),
        ("zoo.run.cli", "from zoo import genomics"),
    ],
)
def test_a_forbidden_import_would_be_seen(module, source):
    """The two tests above are no rubber stamps."""
    assert strangers(module, imported(source, module))


def test_a_domain_named_in_a_text_would_be_seen():
    """Constants and f-strings are read; prose is not."""
    source = '"""Of genomics."""\nload("zoo.genomics.data")\nx = f"{y}/vision/"\n'
    assert list(texts(source)) == ["zoo.genomics.data", "/vision/"]
