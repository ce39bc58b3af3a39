"""Pictures: what their words say is what is drawn."""

import numpy as np
import pandas as pd
import pytest
import torch

from zoo.genomics import pictures
from zoo.genomics.attribution import Attention
from zoo.genomics.evidence import heads_by_motif
from zoo.genomics.motifs import Sites


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr(pictures, "png", lambda figure: figures.append(figure) or b"")
    return figures


def sites(*starts: int) -> Sites:
    n = len(starts)
    whole = (np.zeros(n, int), np.array(starts), np.array(starts) + 5, ("+",) * n, np.ones(n), np.ones(n), ("A",) * n)
    return Sites(("m",) * n, *whole)


def test_negatives_are_an_outline_that_nothing_hides(drawn):
    pictures.positions(sites(5, 5, 30), sites(5, 5, 5, 40), {"m": "motif"}, 50, 10, 10)
    positive, negative = drawn[0].axes[0].patches
    assert positive.get_fill() and not negative.get_fill()
    assert negative.get_zorder() >= positive.get_zorder() and negative.get_data().values.max() == pytest.approx(0.3)


def test_a_heads_density_is_told_over_the_whole_sequence(drawn):
    track = torch.ones(1, 20)
    track[0, 5:10] = 4.0  # the mean over the 20 bases is 1.75, over the 15 others 1
    seen = Attention(track, track, {("backbone.blocks.0", 0): track})
    table = heads_by_motif(seen, sites(5), ["m"], np.array([20]))
    assert table["m"].item() == pytest.approx(4 / 1.75)
    pictures.heads(pd.concat([table]), {"m": "motif"})
    said = " ".join(axes.get_ylabel() for axes in drawn[0].axes)
    assert "over the sequence" in said and "elsewhere" not in said
