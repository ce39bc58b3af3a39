"""Ctrl-C and SIGTERM end a run at the next batch, with everything saved; a second Ctrl-C ends it at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """The run was asked to end and its state is saved in `checkpoint`."""

    def __init__(self, number: int, checkpoint: Path):
        super().__init__(f"stopped by {signal.Signals(number).name}; saved in {checkpoint}")
        self.number, self.checkpoint = number, checkpoint

    @property
    def exit_code(self) -> int:
        return 128 + self.number


@contextmanager
def signals_kept() -> Iterator[None]:
    """Lightning leaves its own SIGTERM handler behind, which would make all that comes after deaf to it."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_together(trainer: pl.Trainer) -> Iterator[None]:
    """SIGTERM before the first batch, or a failure here, ends the processes that Lightning started beside this one.

    They would wait for it half an hour: Lightning ends them after Ctrl-C alone.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except Interrupted:
        raise  # by all of them, each saved
    except BaseException:
        for process in getattr(trainer.strategy.launcher, "procs", ()):
            process.kill()
        raise


def _end(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


class SaveOnInterrupt(pl.Callback):
    """Waits for the batch in hand, saves `last.ckpt` in `dirpath` and raises `Interrupted`.

    Saving between batches, and not where the signal struck, keeps weights, optimiser and loader in step. Lightning
    takes SIGTERM for itself just before the first batch, and then ends with exit code 0 and nothing saved if the
    signal falls between two of its hooks; so the handlers here go in after Lightning's and do not call them.
    """

    def __init__(self, dirpath: str):
        self.checkpoint = Path(dirpath) / "last.ckpt"
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def on_sanity_check_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._listen()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._listen()

    def _listen(self) -> None:
        if not self._before:
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}

    def _note(self, number: int, frame: Any) -> None:
        if self._received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number
        print("\nStopping after this batch; Ctrl-C again ends at once.", flush=True)

    def _stop_if_asked(self, trainer: pl.Trainer) -> None:
        # Every process must enter the save, whichever of them got the signal.
        if trainer.strategy.reduce_boolean_decision(self._received is not None, all=False):
            trainer.save_checkpoint(self.checkpoint)
            raise Interrupted(self._received or signal.SIGTERM, self.checkpoint)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self._stop_if_asked(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._stop_if_asked(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop_if_asked(trainer)  # the signal fell after the last batch

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._restore()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
