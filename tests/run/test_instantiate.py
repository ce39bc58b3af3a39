"""`build` makes the parts of a run, and nothing else can be reached through a config."""

from __future__ import annotations

import sys

import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

from tests.run.toyworld import toyworld
from zoo.domain.errors import InputError
from zoo.run.instantiate import build, resolve_target


@pytest.fixture(scope="module", autouse=True)
def toy(tmp_path_factory):
    with toyworld(tmp_path_factory.mktemp("zoo_ext")):
        yield


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module on the path that leaves a file behind when it is imported."""
    (tmp_path / "trap_module.py").write_text(
        f"import pathlib; pathlib.Path({str(tmp_path)!r}, 'sprung').touch()\n"
        "import torch\nclass Net(torch.nn.Module): pass\n"
    )
    (tmp_path / "zoo_trap.py").write_text((tmp_path / "trap_module.py").read_text())
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / "sprung"
    assert not (tmp_path / "sprung").exists()


def test_builds_modules_with_plain_containers_and_extra_arguments():
    cfg = OmegaConf.create(
        {
            "backbone": {"_target_": "zoo.toyworld.Encoder", "dim": 7, "depth": "${n}"},
            "model": {"_target_": "zoo.toyworld.Detector", "backbone": "${backbone}", "classes": 3},
            "data": {"_target_": "zoo.toyworld.Reads", "positives": "x.fa", "kernel": [3, 5]},
            "n": 5,
        }
    )
    model = build(cfg.model, lr=0.5)
    assert (model.backbone.dim, model.backbone.depth, model.classes, model.lr) == (7, 5, 3, 0.5)
    assert type(build(cfg.data).kernel) is list


def test_extra_arguments_reach_the_class_untouched():
    encoder = build({"_target_": "zoo.toyworld.Encoder", "dim": 3})
    cfg = {"_target_": "zoo.toyworld.Detector", "backbone": {"_target_": "torch.nn.Identity"}}
    model = build(cfg, backbone=encoder)
    assert model.backbone is encoder
    settings = build({"_target_": "zoo.toyworld.Settings"})
    assert build({"_target_": "zoo.toyworld.Settings", "lr": 2.0}, lr=settings).lr is settings


def test_mappings_and_lists_of_parts():
    parts = build({"a": {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}, "b": [1, "x"]})
    assert isinstance(parts["a"], torch.nn.Linear) and parts["b"] == [1, "x"]
    callbacks = build([{"_target_": "pytorch_lightning.callbacks.ModelSummary", "max_depth": 2}])
    assert isinstance(callbacks[0], pl.Callback)
    assert build(None) is None


ATTACKS = [
    "os.system",
    "builtins.eval",
    "builtins.exec",
    "subprocess.Popen",
    "pytorch_lightning.trainer.trainer.os.system",  # attribute traversal out of an allowed package
    "zoo.toyworld.os.system",
    "torch.nn.modules.module.functools.partial",
    "torch.load",
    "torch.nn.functional.torch.load",
    "torch.hub.load",
    "torch.nn.functional.relu",  # a function
    "zoo.toyworld.run",
    "zoo.toyworld.Path",  # a class that was merely imported
    "zoo.toyworld.Loose",  # neither a part of a run nor frozen
    "zoo.toyworld.Shape",  # abstract
    "zoo.toyworld.Encoder.__init__.__globals__",
    "zoo.toyworld.Encoder.forward",
    "pytorch_lightning.Trainer.fit",
    "pytorch_lightning.cli.LightningCLI",
    "pytorch_lightning.__main__.main",
    "pytorch_lightning.utilities.migration.utils.pl_legacy_patch",
    "pytorch_lightning.strategies.launchers.subprocess_script._SubprocessScriptLauncher",
    "torch.distributed.nn.RemoteModule",
    "hydra.utils.get_method",
    "hydra.utils.instantiate",
    "trap_module.Net",
    "zoo_trap.Net",  # a prefix of the name only
    "zoo",
    "",
    "..os.system",
    "zoo..toyworld.Encoder",
    "zoo.toyworld.Encoder ",
    "torch.nn",
    7,
    None,
    ["os", "system"],
    {"_target_": "os.system"},
]


@pytest.mark.parametrize("target", ATTACKS, ids=str)
def test_refused(target, trap):
    before = set(sys.modules)
    with pytest.raises(InputError):
        build({"_target_": target, "command": "exit 1"})
    new = {name.split(".")[0] for name in set(sys.modules) - before}
    assert "trap_module" not in new and "zoo_trap" not in new
    if isinstance(target, str) and target.split(".")[0] not in ("zoo", "torch", "pytorch_lightning"):
        assert not new


def test_refused_however_deep_and_however_spelled(trap, monkeypatch):
    monkeypatch.setenv("EVIL", "trap_module.Net")
    evil = {"_target_": "trap_module.Net"}
    hidden = [
        {"callbacks": [{"inner": [[evil]]}]},
        {"_target_": "torch.nn.ModuleList", "modules": [evil]},
        {"_target_": "torch.nn.Identity", "x": {"y": evil}},
        {"_target_": "${oc.env:EVIL}"},
        {"name": "trap_module", "x": {"_target_": "${name}.Net"}},
        {"x": "${oc.create:'{_target_: trap_module.Net}'}"},
        {"x": r"\${oc.create:'{_target_: trap_module.Net}'}"},  # text now, a node when resolved once more
        {"x": {"_target_": r"\${oc.env:EVIL}"}},
        {"x": {"_target_": "torch.nn.Identity", "_partial_": True}},
        {"x": {"_target_": "torch.nn.Identity", "_args_": [1]}},
        {"x": {"_target_": "torch.nn.Identity", "_recursive_": False, "y": evil}},
        {"_recursive_": False, "x": evil},
        {"_target_": "pytorch_lightning.callbacks.ModelCheckpoint", "dirpath": "reference::https://evil.org/x.json"},
    ]
    for cfg in hidden:
        with pytest.raises(InputError):
            build(cfg)
        with pytest.raises(InputError):
            build(OmegaConf.create(cfg))
    assert "trap_module" not in sys.modules


def test_one_sentence_names_all_refused_targets():
    with pytest.raises(InputError) as caught:
        build({"a": {"_target_": "os.system"}, "b": [{"_target_": "builtins.eval"}, {"_target_": "torch.nn.ReLU"}]})
    message = str(caught.value)
    assert "a: _target_ 'os.system'" in message and "b[0]: _target_ 'builtins.eval'" in message
    assert "ReLU" not in message and "\n" not in message


def test_a_near_name_is_suggested():
    with pytest.raises(InputError, match="did you mean Encoder"):
        resolve_target("zoo.toyworld.Encodr")
    with pytest.raises(InputError, match=r"there is no module zoo\.toywurld"):
        resolve_target("zoo.toywurld.Encoder")


def test_unresolvable_configs_are_sentences():
    for cfg in ({"a": "${nope}"}, {"a": "???"}, {"a": {"b": "${a}"}}):
        with pytest.raises(InputError):
            build(cfg)
