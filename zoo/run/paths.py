"""Where the configuration lies: beside the package in a clone, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

import zoo


def conf_dir() -> Path:
    package = Path(zoo.__file__).resolve().parent
    beside = package.parent / "conf"
    return beside if (beside / "train.yaml").is_file() else package / "_conf"
