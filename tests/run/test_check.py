# ruff: noqa: E501   (tables of sentences)
"""`check` and `find_mistakes` name every mistake at once, with what to type instead."""

from __future__ import annotations

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from tests.run.toyworld import toyworld
from zoo.run.check import check
from zoo.run.instantiate import build
from zoo.run.overrides import check_overrides, find_mistakes

FILES = {
    "train": """
defaults:
  - backbone: small
  - model: detector
  - data: reads
  - trainer: cpu
  - logger: none
  - optional experiment: null
  - optional sweep: null
  - _self_
name: toy
seed: 1
folder: ${hydra:runtime.output_dir}/checkpoints
optimizer: {lr: 0.001, warmup: 10}
hydra: {run: {dir: 'runs/${name}'}}
""",
    "backbone/small": "{_target_: zoo.toyworld.Encoder, dim: 11, depth: 2}",
    "backbone/large": "{_target_: zoo.toyworld.Encoder, dim: 13, depth: 5}",
    "backbone/broken": "{_target_: zoo.toyworld.Encoder, dim: thirteen, depth: 5}",
    "model/detector": "{_target_: zoo.toyworld.Detector, backbone: '${backbone}', classes: 2, lr: '${optimizer.lr}'}",
    "data/reads": "{_target_: zoo.toyworld.Reads, positives: '???', batch_size: 8}",
    "data/other": "{_target_: zoo.toyworld.Reads, positives: '???', kernel: [3]}",
    "trainer/cpu": "{_target_: pytorch_lightning.Trainer, max_epochs: 3, default_root_dir: '${folder}'}",
    "logger/none": "",
    "experiment/promoter": """# @package _global_
defaults:
  - override /backbone: large
  - override /data: other
name: promoter
""",
    "experiment/careless": """# @package _global_
optimizer: {learning_rate: 0.1}
trainer: {max_epoch: 5}
""",
    "experiment/stranger": """# @package _global_
evil: {_target_: os.system, command: ls}
trainer: {callbacks: [{_target_: builtins.eval}]}
hydra:
  callbacks: {x: '${evil}'}
  job_logging: {formatters: {simple: {'()': os.system}}}
  job: {env_set: {LD_PRELOAD: x.so}}
""",
    "sweep/depth": """# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    params: {backbone.depth: '1,two', backbone.dpth: '1,2'}
""",
}


@pytest.fixture(scope="module", autouse=True)
def toy(tmp_path_factory):
    with toyworld(tmp_path_factory.mktemp("zoo_ext")):
        yield


@pytest.fixture(scope="module")
def conf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    for name, text in FILES.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    (folder.parent / "my.fa").write_text(">a\nACGT\n")
    return folder


@pytest.fixture
def good(conf):
    return f"data.positives={conf.parent / 'my.fa'}"


# ------------------------------------------------------------------------------------------------- check
READS = {"_target_": "zoo.toyworld.Reads", "positives": __file__}
ENCODER = {"_target_": "zoo.toyworld.Encoder", "dim": 3}


@pytest.mark.parametrize(
    ("cfg", "mistakes"),
    [
        ({"data": READS}, []),
        (
            {"data": READS | {"batch_size": "abc"}},
            ["data.batch_size=abc: expected int (a whole number), got the text 'abc'"],
        ),
        ({"data": READS | {"batch_size": True}}, ["data.batch_size=true: expected int (a whole number), got true"]),
        ({"data": READS | {"batch_size": 2.0}}, ["data.batch_size=2.0: expected int (a whole number), got 2.0"]),
        ({"data": READS | {"batch_size": None}}, ["data.batch_size=null: expected int (a whole number), got null"]),
        ({"data": READS | {"shuffle": 1}}, ["data.shuffle=1: expected bool (true or false), got 1"]),
        ({"data": READS | {"kernel": [3, 5], "widths": [7]}}, []),
        ({"data": READS | {"kernel": [3, "x"]}}, ["data.kernel=[3,x]: expected tuple[int, ...], got a list"]),
        ({"data": READS | {"widths": [*range(30), "x"]}}, ["data.widths: expected Sequence[int], got a list"]),
        (
            {"data": READS | {"batch_sise": 3}},
            ["data.batch_sise: Reads takes no 'batch_sise'; did you mean batch_size?"],
        ),
        (
            {"data": {"_target_": "zoo.toyworld.Reads"}},
            ["data.positives: missing; Reads needs it, give it as +data.positives=..."],
        ),
        ({"data": READS | {"positives": "???"}}, ["data.positives: missing; give it as data.positives=..."]),
        ({"data": READS | {"positives": "no.fa"}}, ["data.positives=no.fa: there is no such file"]),
        ({"data": READS | {"batch_size": 4096}}, ["data: too large for this machine"]),
        ({"data": READS | {"readers": [{"_target_": "torch.nn.Identity"}]}}, []),
        (
            {"data": READS | {"readers": [READS]}},
            ["data.readers: expected list[torch.nn.modules.module.Module] or null, got a list"],
        ),
        ({"model": {"_target_": "zoo.toyworld.Detector", "backbone": ENCODER, "lr": 1, "price": "any"}}, []),
        (
            {"model": {"_target_": "zoo.toyworld.Detector", "backbone": {"_target_": "torch.nn.Identity"}, "lrr": 1}},
            ["model.backbone: expected Encoder, got Identity", "model.lrr: Detector takes no 'lrr'; did you mean lr?"],
        ),
        (
            {"model": {"_target_": "zoo.toyworld.Detector", "backbone": ENCODER, "norm": "per"}},
            ["model.norm=per: expected one of pre, post, got the text 'per'"],
        ),
        ({"a": "${nope}"}, ["a: cannot be resolved: Interpolation key 'nope' not found"]),
        ({"a": {"b": "${a}"}}, ["a.b: cannot be resolved: Interpolation to parent node detected"]),
        ({"a": {"b": "${c}"}, "c": {"d": "${a}"}}, ["the config refers to itself without end"]),
        ({"trainer": {"_target_": "pytorch_lightning.Trainer", "max_epochs": 2, "gradient_clip_val": 1}}, []),
        (
            {"log": {"_target_": "pytorch_lightning.loggers.WandbLogger", "entity": "me", "offline": "yes"}},
            ["log.offline=yes: expected bool (true or false), got the text 'yes'"],
        ),
        ({"a": r"\${oc.env:HOME}"}, ["a: '${' is left after the config was resolved; it may not be resolved twice"]),
    ],
)
def test_check(cfg, mistakes):
    assert check(OmegaConf.create(cfg)) == mistakes


def test_everything_is_reported_and_a_shared_node_once():
    cfg = OmegaConf.create(
        {
            "backbone": ENCODER | {"dim": "wide", "rate": "high"},
            "model": {"_target_": "zoo.toyworld.Detector", "backbone": "${backbone}", "classes": "two"},
            "other": {"_target_": "os.system"},
        }
    )
    paths = [line.partition(":")[0] for line in check(cfg)]
    assert paths == ["backbone.dim=wide", "backbone.rate=high", "model.classes=two", "other"]


def test_problems_are_asked_for_beside_other_mistakes():
    wrong = READS | {"positives": "no.fa", "batch_size": "abc", "kernels": 3, "readers": [{"a": "${nope}"}]}
    mistakes = check({"data": wrong | {"readers": None}})
    assert [line.partition(":")[0] for line in mistakes] == [
        "data.batch_size=abc",
        "data.kernels",
        "data.positives=no.fa",
    ]
    assert "data.readers[0].a: cannot be resolved: Interpolation key 'nope' not found" in check({"data": wrong})
    assert check({"data": wrong | {"positives": "???", "readers": None}})[0].startswith("data.positives: missing")


def test_what_check_passes_is_built():
    cfg = {"data": READS, "model": {"_target_": "zoo.toyworld.Detector", "backbone": ENCODER}}
    assert check(cfg) == []
    assert build(cfg)["model"].backbone.dim == 3


def test_arguments_that_the_program_supplies():
    cfg = {"model": {"_target_": "zoo.toyworld.Detector"}}
    assert check(cfg) == ["model.backbone: missing; Detector needs it, give it as +model.backbone=..."]
    assert check(cfg, supplied={"model": {"backbone"}}) == []
    cfg["model"]["backbone"] = ENCODER
    assert check(cfg, supplied={"model": {"backbone"}}) == [
        "model.backbone: the program sets this itself; take it out of the config"
    ]


# --------------------------------------------------------------------------------------------- overrides
def test_a_good_command_has_no_mistakes(conf, good):
    for words in ([], ["experiment=promoter"], ["+trainer.accumulate_grad_batches=2"], ["~seed", "++name=x"],
                  ["hydra.run.dir=x", "optimizer.lr=1"], ["+note=hello"], ["--cfg", "job"]):  # fmt: skip
        assert find_mistakes([good, *words], conf, "train") == []
    assert not GlobalHydra.instance().is_initialized()


def test_three_mistakes_three_lines(conf):
    words = ["trainer.max_epoch=5", "data.batch_size=abc", "data.positives=nofile.fa"]
    assert find_mistakes(words, conf, "train") == [
        "trainer.max_epoch: no such setting; did you mean trainer.max_epochs?",
        "data.batch_size=abc: expected int (a whole number), got the text 'abc'",
        "data.positives=nofile.fa: there is no such file",
    ]
    assert find_mistakes([words[0], "backbone.rate=x", words[2]], conf, "train") == [
        "trainer.max_epoch: no such setting; did you mean trainer.max_epochs?",
        "backbone.rate: not in the config; to add it, write +backbone.rate=x",
        "data.positives=nofile.fa: there is no such file",
    ]


@pytest.mark.parametrize(
    ("word", "mistake"),
    [
        ("backbone=smal", "backbone=smal: backbone has no 'smal'; did you mean small?; it has broken, large, small"),
        ("experiment=promotr", "experiment=promotr: experiment has no 'promotr'; did you mean promoter?; it has careless, promoter, stranger"),
        ("backbon=small", "backbon: no such setting; did you mean backbone?"),
        ("max_epochs=3", "max_epochs: no such setting; did you mean trainer.max_epochs?"),
        ("qqqq=3", "qqqq: no such setting"),
        ("trainer.accumulate_grad_batch=3", "trainer.accumulate_grad_batch: no such setting; did you mean trainer.accumulate_grad_batches?"),
        ("trainer.accumulate_grad_batches=3", "trainer.accumulate_grad_batches: not in the config; to add it, write +trainer.accumulate_grad_batches=3"),
        ("+trainer.max_epochs=3", "trainer.max_epochs: already there; write trainer.max_epochs=3"),
        ("~trainer.max_epoch", "trainer.max_epoch: no such setting; did you mean trainer.max_epochs?"),
        ("model.backbone.depth=3", "model.backbone.depth: no such setting; did you mean backbone.depth?"),
        ("hydra.run.dri=x", "hydra.run.dri: no such setting; did you mean hydra.run.dir?"),
        ("hydra.job.num=x", "hydra.job.num=x: Value 'x' of type 'str' could not be converted to Integer"),
        ("seed=1,2", "seed=1,2: several values make a sweep; add --multirun, or put a list in [ ]"),
        ("+trainer.max_epoch=3", "trainer.max_epoch: Trainer takes no 'max_epoch'; did you mean max_epochs?"),
    ],
)  # fmt: skip
def test_one_wrong_word(conf, good, word, mistake):
    assert find_mistakes([good, word], conf, "train") == [mistake]


def test_words_that_cannot_be_read(conf, good):
    for word in ("seed", "x={a", "=3"):
        (mistake,) = check_overrides([good, word], conf, "train")
        assert mistake.startswith(f"{word!r} cannot be read")


def test_a_wrong_key_beside_an_experiment_that_replaces_groups(conf, good):
    mistakes = find_mistakes(["data.kernels=[5]", "backbone.dim=x", "experiment=promoter", good], conf, "train")
    assert mistakes == [
        "data.kernels: no such setting; did you mean data.kernel?",
        "backbone.dim=x: expected int (a whole number), got the text 'x'",
    ]


def test_mistakes_inside_an_experiment_file(conf, good):
    assert find_mistakes([good, "experiment=careless"], conf, "train") == [
        "optimizer.learning_rate: no such setting",
        "trainer.max_epoch: Trainer takes no 'max_epoch'; did you mean max_epochs?",
    ]


def test_every_value_of_a_sweep_is_checked(conf, good):
    words = [good, "--multirun", "backbone=small,broken,lage", "data.batch_size=2,abc", "seed=range(1,5)"]
    assert find_mistakes(words, conf, "train") == [
        "backbone.dim=thirteen: expected int (a whole number), got the text 'thirteen'",
        "data.batch_size=abc: expected int (a whole number), got the text 'abc'",
        "backbone=lage: backbone has no 'lage'; did you mean large?; it has broken, large, small",
    ]
    assert find_mistakes([good, "sweep=depth"], conf, "train") == [
        "backbone.depth=two: expected int (a whole number), got the text 'two'",
        "backbone.dpth: no such setting; did you mean backbone.depth?",
    ]


def test_a_glob_and_an_interval(conf, good):
    assert find_mistakes([good, "-m", "backbone=glob(*,exclude=bro*)", "backbone.depth=2"], conf, "train") == []
    (mistake,) = find_mistakes([good, "-m", "backbone=glob(x*)"], conf, "train")
    assert mistake == "backbone=glob(x*): matches none of broken, large, small"
    (mistake, _) = find_mistakes([good, "-m", "seed=interval(1,5)", "backbone.depth=interval(0.5,2.5)"], conf, "train")
    assert mistake == "backbone.depth=0.5: expected int (a whole number), got 0.5"


def test_inside_a_running_hydra_too(conf, good):
    with hydra.initialize_config_dir(str(conf), version_base="1.3"):
        assert find_mistakes([good], conf, "train") == []
        assert hydra.compose("train").seed == 1


def test_a_folder_of_ones_own(conf, good, tmp_path):
    (tmp_path / "backbone").mkdir()
    (tmp_path / "backbone" / "mine.yaml").write_text("{_target_: zoo.toyworld.Encoder, dim: 7}")
    assert find_mistakes(["--config-dir", str(tmp_path), "backbone=mine", good], conf, "train") == []


def test_a_stranger_gets_nothing_out_of_hydra_either(conf, good):
    mistakes = find_mistakes([good, "experiment=stranger"], conf, "train")
    paths = [line.partition(":")[0] for line in mistakes]
    assert paths == [
        "hydra.job_logging.formatters.simple.()",
        "hydra.callbacks.x._target_",
        "hydra.job.env_set",
        "evil",  # no such setting
        "trainer.callbacks[0]",
        "evil",  # refused target
    ]


def test_a_broken_or_absent_config_is_a_sentence(conf, tmp_path):
    (mistake,) = find_mistakes([], conf, "trian")
    assert mistake.startswith("trian: ")
    (tmp_path / "train.yaml").write_text("a: [1\n")
    (mistake,) = find_mistakes(["a=1"], tmp_path, "train")
    assert mistake.startswith("train: ")
