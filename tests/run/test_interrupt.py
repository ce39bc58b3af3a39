"""Signals, wherever in the loop they strike."""

from __future__ import annotations

import signal

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.demos.boring_classes import BoringModel

from zoo.run.interrupt import Interrupted, SaveOnInterrupt, signals_kept


class Strike(pl.Callback):
    """Sends `number` to this process in the `nth` call of one hook."""

    def __init__(self, hook: str, number: int, nth: int):
        self.left, self.number = nth, number
        setattr(self, hook, self._count)

    def _count(self, *_, **__) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(self.number)


def quiet_trainer(callbacks: list[pl.Callback], **limits: int) -> pl.Trainer:
    return pl.Trainer(
        **limits, callbacks=callbacks, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize(
    ("hook", "nth", "saved"),
    [
        ("on_validation_batch_end", 1, 1),  # in the sanity check, before any training
        ("on_train_batch_start", 3, 3),
        ("on_train_batch_end", 3, 4),  # after our own hook has looked
        ("on_validation_batch_start", 3, 8),
        ("on_train_epoch_end", 2, 16),  # after the last batch
    ],
)
def test_every_hook_ends_in_a_saved_run(tmp_path, hook, nth, saved, number):
    before = signal.getsignal(number)
    callbacks = [SaveOnInterrupt(str(tmp_path)), Strike(hook, number, nth)]
    trainer = quiet_trainer(callbacks, max_epochs=2, limit_train_batches=8, limit_val_batches=2, num_sanity_val_steps=2)
    with pytest.raises(Interrupted) as stop:
        trainer.fit(BoringModel())
    assert stop.value.exit_code == 128 + number
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"] == saved
    assert signal.getsignal(number) == before


def test_after_training_a_signal_ends_the_process_as_before(tmp_path):
    """Scoring and the insight come after; Lightning's own handler would swallow the signal."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    few = {"limit_train_batches": 2, "limit_val_batches": 1, "limit_test_batches": 1, "num_sanity_val_steps": 0}
    trainer = quiet_trainer([SaveOnInterrupt(str(tmp_path))], max_epochs=1, **few)
    for work in (trainer.fit, trainer.test):
        with signals_kept():
            work(BoringModel())
        assert {number: signal.getsignal(number) for number in before} == before
