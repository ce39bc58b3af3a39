"""The offset against an independent fit and by hand; where it counts and where it must not; what checkpoints keep."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch.utils.data import DataLoader
from torchmetrics.functional.classification import binary_matthews_corrcoef

from tests.genomics.test_model import TEXTS, codes, detector
from zoo.genomics.batch import SequenceSet, collate
from zoo.genomics.calibration import Offset
from zoo.genomics.sequences import from_strings
from zoo.run.finish import predict_all
from zoo.vision.averaging import MovingAverage


def offset_of(logits, labels, parts: int = 1) -> float:
    found = Offset()
    for z, y in zip(np.array_split(logits, parts), np.array_split(labels, parts), strict=True):
        found.update(torch.tensor(z).sigmoid(), torch.tensor(y))
    return float(found.compute())


def test_by_hand():
    assert offset_of([0.0] * 4, [1, 1, 1, 0]) == pytest.approx(np.log(3), abs=1e-5)  # three in four are positive
    assert offset_of([2.0, -2.0], [1, 0]) == pytest.approx(0, abs=1e-5)
    assert offset_of([3.0, -1.0], [1, 0]) == pytest.approx(-1, abs=1e-5)


def test_where_nothing_can_be_said():
    assert offset_of([1.0, 2.0], [1, 1]) == offset_of([1.0, 2.0], [0, 0]) == 0
    assert offset_of([1.0, float("nan")], [1, 0]) == 0
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert float(Offset().compute()) == 0


LOGITS = st.lists(st.floats(-8, 8, width=32), min_size=2, max_size=30)


@settings(deadline=None, max_examples=60)
@given(logits=LOGITS, seed=st.integers(0, 99), shift=st.floats(-3, 3))
def test_the_least_cross_entropy_of_all_offsets(logits, seed, shift):
    logits = np.array(logits)
    labels = np.random.default_rng(seed).permutation(np.arange(len(logits)) % 2)
    found = offset_of(logits, labels)
    assert (1 / (1 + np.exp(-(logits + found)))).mean() == pytest.approx(labels.mean(), abs=1e-4)
    assert offset_of(logits + shift, labels, parts=2) == pytest.approx(found - shift, abs=5e-3)

    def cross_entropy(b):
        return np.logaddexp(0, logits + b).sum() - ((logits + b) * labels).sum()

    assert cross_entropy(found) <= minimize_scalar(cross_entropy).fun + 1e-3


def test_counts_where_it_is_asked_and_not_where_it_learns():
    batch = collate(SequenceSet(from_strings(TEXTS, labels=[1, 0, 1])))
    model = detector(dropout=0.0)
    before, x = model(batch.codes), codes(*TEXTS)
    trained = model.train().outcome(batch).loss
    model.eval().offset.fill_(2.0)
    assert torch.allclose(model(x), before + 2)
    assert torch.allclose(model.outcome(batch).prediction, (before + 2).sigmoid())
    assert torch.allclose(model.train().outcome(batch).loss, trained)
    model.eval().sign = -1.0
    assert torch.allclose(model(x), -before - 2)


def test_checkpoints_of_before_have_none():
    model = detector()
    old = {name: value for name, value in model.state_dict().items() if name != "offset"}
    model.offset.fill_(5.0)
    model.load_state_dict(old)
    assert model.offset == 0


def too_sure(seed: int) -> SequenceSet:
    """Nine in ten of what is trained on is positive, one in four of what it is validated on."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("ACGT"), 30)) for _ in range(80)]
    share = 0.9 if seed == 0 else 0.25
    return SequenceSet(from_strings(texts, labels=(np.arange(80) < share * 80).astype(float)))


@pytest.mark.parametrize("callbacks", [[], [MovingAverage(0.9)]], ids=["", "averaged"])
def test_a_checkpoint_is_calibrated_on_the_validation_part(tmp_path, callbacks):
    train, valid = (DataLoader(too_sure(seed), batch_size=16, collate_fn=collate) for seed in (0, 1))
    newest = pl.callbacks.ModelCheckpoint(tmp_path)
    trainer = pl.Trainer(max_epochs=3, accelerator="cpu", logger=False, callbacks=[newest, *callbacks],
                         enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0)  # fmt: skip
    live, model = detector().train(), detector()
    trainer.fit(live, train, valid)
    model.load_state_dict(torch.load(newest.best_model_path, weights_only=True)["state_dict"])
    assert live.offset == model.offset == trainer.logged_metrics["valid/offset"] < -0.5
    prediction, target = predict_all(model, valid)
    assert float(prediction.mean()) == pytest.approx(float(target.float().mean()), abs=1e-4)
    logged = {name: float(value) for name, value in trainer.logged_metrics.items() if name.startswith("valid/")}
    assert logged["valid/mcc"] == pytest.approx(float(binary_matthews_corrcoef(prediction, target)), abs=1e-4)
    loss = torch.nn.functional.binary_cross_entropy(prediction, target.float())
    assert logged.pop("valid/loss") == pytest.approx(float(loss), abs=1e-4)
    asking = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    [again] = asking.validate(model, valid, verbose=False)
    assert again.pop("valid/loss") == pytest.approx(float(loss), abs=1e-4)
    del logged["valid/offset"]
    assert again == pytest.approx(logged, abs=1e-4)
    asking.validate(model, train, verbose=False)
    assert model.offset == live.offset  # to be asked of other data changes nothing


def test_an_older_run_with_averaged_weights_goes_on(tmp_path):
    train, valid = (DataLoader(too_sure(seed), batch_size=16, collate_fn=collate) for seed in (0, 1))
    newest = pl.callbacks.ModelCheckpoint(tmp_path)
    quiet = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    pl.Trainer(max_epochs=1, callbacks=[newest, MovingAverage(0.9)], **quiet).fit(detector().train(), train, valid)
    old = torch.load(newest.best_model_path, weights_only=False)
    for state in [value for key, value in old.items() if key.endswith("state") or key == "state_dict"]:
        state.pop("offset", None)
    assert "offset" not in old["state_dict"]
    torch.save(old, tmp_path / "old.ckpt")
    on = pl.Trainer(max_epochs=2, callbacks=[MovingAverage(0.9)], enable_checkpointing=False, **quiet)
    on.fit(model := detector().train(), train, valid, ckpt_path=tmp_path / "old.ckpt", weights_only=False)
    assert on.current_epoch == 2 and model.offset != 0
