"""Stopping when validation no longer improves; a continued run obeys its config and not its checkpoint."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import callbacks


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's own takes `patience` back from the checkpoint, so that a person could not ask for more of it."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({**state_dict, "patience": self.patience})
