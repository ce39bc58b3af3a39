"""Several runs asked as one: the mean of what they predict (deep ensembles; Lakshminarayanan et al. 2017, eq. 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import pytorch_lightning as pl
import torch

from zoo.domain.errors import InputError
from zoo.domain.module import DomainModule
from zoo.run.finish import predict_all
from zoo.run.folder import RunFolder


def opened(paths: Sequence[str]) -> dict[str, DomainModule]:
    """run -> its model. Raises InputError if they are of different kinds, or one is named twice."""
    runs = [RunFolder.open(path) for path in paths]
    if len({run.path.resolve() for run in runs}) < len(paths):
        raise InputError(f"the runs {', '.join(paths)}: each may be named once")
    models = {str(run.path): run.model() for run in runs}
    kinds = sorted({type(model).__name__ for model in models.values()})
    if len(kinds) > 1:
        raise InputError(f"the runs hold models of different kinds ({', '.join(kinds)}), which have no mean")
    return models


def check_same_test(models: Mapping[str, DomainModule], data: Mapping[str, pl.LightningDataModule]) -> None:
    """Raises InputError where a run was tested on something else than the first: it may have learnt from what the
    first is tested on. Two parts are one if the first model says the same of both."""
    first, *others = models
    if not others:
        return
    said = predict_all(models[first], data[first].test_dataloader())
    for name in others:
        again = predict_all(models[first], data[name].test_dataloader())
        if not all(a.shape == b.shape and torch.allclose(a, b) for a, b in zip(said, again, strict=True)):
            raise InputError(
                f"{name} has another test part than {first} and may have seen this one in training: give runs of one "
                "split, or --input with a file that none has seen"
            )


def mean_table(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Fractional numbers averaged; of the other columns those in which all tables agree (names, not decisions)."""
    mean = tables[0].copy()
    for column in tables[0]:
        each = [table[column] for table in tables]
        if pd.api.types.is_float_dtype(each[0]):
            mean[column] = sum(each) / len(each)
        elif not all(other.equals(each[0]) for other in each):
            del mean[column]
    return mean
