import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.genomics.test_model import detector
from zoo.domain.errors import InputError
from zoo.genomics import insight
from zoo.genomics.jaspar import load_jaspar, match
from zoo.genomics.sequences import from_strings


def reference(matrix_id):
    return next(r for r in load_jaspar() if r.matrix_id == matrix_id)


def test_the_release_is_whole():
    references = load_jaspar()
    assert len(references) == 879  # JASPAR 2024 CORE, vertebrates
    ctcf = reference("MA0139.2")
    assert (ctcf.name, ctcf.family) == ("CTCF", "More than 3 adjacent zinc fingers")
    assert reference("MA0099.4").family == "Fos-related; Jun-related"
    assert load_jaspar() is references
    assert {r.name for r in load_jaspar("JASPAR2020", "POLII", None)} >= {"INR", "TATA-Box"}


def test_what_jaspar_does_not_hold():
    with pytest.raises(InputError, match="JASPAR2024"):
        load_jaspar("JASPAR1999")
    with pytest.raises(InputError, match="POLII"):
        load_jaspar("JASPAR2024", "POLII", None)


def test_matrices_match_themselves_on_either_strand_at_the_right_offset():
    ctcf, gata = reference("MA0139.2").motif, reference("MA0035.5").motif
    turned = gata.reverse_complement().renamed("turned")
    piece = type(ctcf)("piece", ctcf.counts[2:])
    matches = match([piece, turned, gata], load_jaspar(), top=1)
    assert [(m.motif, m.matrix_id, m.strand, m.offset, m.overlap) for m in matches] == [
        ("piece", "MA0139.2", "+", 2, 13),
        ("turned", "MA0035.5", "-", 0, 7),
        ("GATA1", "MA0035.5", "+", 0, 7),
    ]
    assert all(m.qvalue < 1e-6 and m.evalue == pytest.approx(m.pvalue * 879) for m in matches)


def test_a_uniform_motif_matches_nothing():
    uniform = type(reference("MA0139.2").motif)("uniform", np.ones((12, 4)))
    assert match([uniform], load_jaspar()) == ()
    assert match([], load_jaspar()) == ()


def test_qvalues_are_calibrated_on_columns_at_random():
    """Motifs whose columns are drawn from JASPAR's own, independently: about 5 % may match at q < 0.05."""
    rng = np.random.default_rng(0)
    kind = type(reference("MA0139.2").motif)
    columns = np.concatenate([r.motif.ppm for r in load_jaspar()])
    random = [kind(str(i), columns[rng.integers(len(columns), size=rng.integers(6, 16))]) for i in range(300)]
    best = match(random, load_jaspar(), top=1)
    assert np.mean([m.qvalue < 0.05 for m in best]) < 0.08


def test_numba_is_told_of_a_folder_only_where_the_package_is_read_only(monkeypatch, tmp_path):
    from zoo.genomics import jaspar

    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # recorded, so that what the function sets is undone
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: str(path).startswith(str(tmp_path)))
    jaspar._choose_numba_cache()
    assert os.environ["NUMBA_CACHE_DIR"].startswith(str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/chosen")
    jaspar._choose_numba_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "/chosen"


def test_a_second_process_does_not_compile_again():
    match([reference("MA0035.5").motif], load_jaspar())  # compiled now, if it was not
    code = (
        "import time; from zoo.genomics.jaspar import *; r = load_jaspar(); import memelite; t = time.time();"
        "match([r[0].motif], r); print(time.time() - t)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(ran.stdout) < 10  # 0.1 s from the cache, 50 s without


def test_matching_leaves_torch_its_threads():
    """numba sets the threads of OpenMP, and sums in another order are not bit-equal."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        match([load_jaspar()[0].motif], load_jaspar()[:30])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_motifs_are_compared_with_the_matrices_of_the_models_own_group(monkeypatch):
    asked = []
    monkeypatch.setattr(insight, "load_jaspar", lambda *a, **k: asked.append((a, k)) or ())
    monkeypatch.setattr(insight, "match", lambda *a, **k: 1 / 0)  # no further
    draw = np.random.default_rng(0)
    texts = ["".join(draw.choice(list("ACGT"), 30)) for _ in range(8)]
    given = from_strings(texts, labels=[0, 1] * 4)
    for model, group in ((detector(), "vertebrates"), (detector(jaspar="plants"), "plants")):
        with pytest.raises(ZeroDivisionError):
            insight.find(model, given, given, given)
        assert asked[-2] == (("JASPAR2024",), {"tax_groups": (group,)})
    assert load_jaspar(tax_groups=("plants",))[0].family
