"""When a run is saved, beside its best epoch."""

from __future__ import annotations

from datetime import timedelta

from pytorch_lightning.callbacks import ModelCheckpoint


class LastCheckpoint(ModelCheckpoint):
    """Keeps `last.ckpt`: at the end of every epoch, or (every `minutes`) in the middle of one.

    One epoch can be the whole run, so a run should hold one of each.
    """

    def __init__(self, dirpath: str, minutes: float | None = None):
        super().__init__(
            dirpath=dirpath,
            filename="last",
            monitor=None,
            save_top_k=1,
            enable_version_counter=False,
            train_time_interval=None if minutes is None else timedelta(minutes=minutes),
            every_n_epochs=1 if minutes is None else None,
        )

    @property
    def state_key(self) -> str:
        return self._generate_state_key(kind="last", interval=str(self._train_time_interval))
