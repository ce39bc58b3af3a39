"""The report: what it says, in which order, how numbers read, and that nothing in it can reach out or run."""

import base64
import hashlib
import html
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from zoo.domain.insight import Figure, Insight, Table
from zoo.run.cells import grid, heading, number
from zoo.run.curves import learning_curves
from zoo.run.report import RunSummary, render_report

EVIL = "<script>alert('x')</script>"


def png(width: int = 5, height: int = 3) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "white").save(buffer, "png")
    return buffer.getvalue()


def metrics(epochs: int = 4, steps: int = 10) -> pd.DataFrame:
    rows = [{"step": s, "epoch": s // steps, "train/loss": 1 / (s + 1)} for s in range(epochs * steps)]
    rows += [
        {"step": steps * (e + 1) - 1, "epoch": e, "valid/loss": 1 / (e + 1), "valid/auroc": e / epochs}
        for e in range(epochs)
    ]
    return pd.DataFrame(rows)


def summary(**changes) -> RunSummary:
    board = pd.DataFrame(
        {
            "model": ["attention", "k-mers"],
            "auroc": [0.95812, 0.949],
            "auroc_low": [0.938, 0.927],
            "auroc_high": [0.975, 0.968],
            "auroc_diff": [np.nan, -0.009],
            "auroc_diff_low": [np.nan, -0.031],
            "auroc_diff_high": [np.nan, 0.012],
        }
    )
    motifs = pd.DataFrame({"motif": ["TATA"], "logo": [png()], "q_value": [1.234e-5], "sites": [4120]})
    parts = {
        "name": "promoter",
        "command": "python train.py experiment=promoter",
        "config_yaml": "seed: 0\n",
        "environment": {"python": "3.11.7", "cores": "2"},
        "metrics": metrics(),
        "best_step": 30,
        "scores": (Table("test", "Test set", board),),
        "insight": Insight(
            headline="One motif found.\nIt is TBP.",
            tables=(Table("motifs", "Motifs", motifs, "By sites."),),
            figures=(Figure("positions", "Where they sit", png(7, 5)),),
            scores={"families_found": 1},
        ),
        "files": ("insight/motifs.meme",),
    }
    return RunSummary(**(parts | changes))


def text_of(page: str) -> str:
    page = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_contents_in_order():
    text = text_of(render_report(summary()))
    order = [
        "promoter",
        "One motif found.",
        "It is TBP.",
        "families found 1",
        "Scores",
        "AUROC",
        "attention 0.958 [0.938, 0.975]",
        "k-mers 0.949 [0.927, 0.968] −0.009 [−0.031, +0.012]",
        "What the attention says",
        "By sites.",
        "TATA",
        "1.2e-05 4,120",
        "Where they sit",
        "Learning curves",
        "step 30",
        "To get this again",
        "python train.py experiment=promoter",
        "python 3.11.7",
        "seed: 0",
        "Files",
        "insight/motifs.meme",
    ]
    at = -1
    for words in order:
        assert words in text[at + 1 :], f"{words!r} is missing after {text[max(0, at - 60) : at + 60]!r}"
        at = text.index(words, at + 1)


def test_pictures_are_inside():
    page = render_report(summary())
    sources = re.findall(r'(?:src|srcset)="([^"]+)"', page)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    sizes = [Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).size for source in sources]
    assert (5, 3) in sizes and (7, 5) in sizes
    assert len(sources) == 2 + 2 * 2  # a logo, a figure, and two learning curves for light and dark pages


def test_nothing_is_loaded_from_elsewhere():
    page = render_report(summary())
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href|srcset|action)="(https?:)?//', page)
    assert "@import" not in page and "url(" not in page


def test_only_our_script_may_run():
    page = render_report(summary())
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_everything_given_is_escaped():
    table = Table(EVIL, EVIL, pd.DataFrame({EVIL: [EVIL], "list": [[EVIL]]}), EVIL)
    page = render_report(
        summary(
            name=EVIL,
            command=EVIL,
            config_yaml=EVIL,
            environment={EVIL: EVIL},
            scores=(table,),
            insight=Insight(EVIL, (table,), (Figure(EVIL, EVIL, png(), f'"{EVIL}'),), {}, {EVIL: 1.0}),
            files=(EVIL, "javascript:alert(1)"),
        )
    )
    assert "<script>alert" not in page and page.count("<script>") == 1
    assert 'href="javascript' not in page
    assert text_of(page).count(EVIL) >= 12  # and still said


def test_a_run_without_anything_still_reports():
    bare = RunSummary("bare", "python train.py", "", {}, pd.DataFrame())
    text = text_of(render_report(bare))
    assert "bare" in text and "Learning curves" not in text and "What the attention says" not in text


@pytest.mark.parametrize(
    ("value", "name", "said"),
    [
        (0.78312, "", "0.783"),
        (0.0078312, "", "0.00783"),
        (12.345, "", "12.3"),
        (1234.5, "", "1,234"),
        (4120, "", "4,120"),
        (-31, "", "−31"),
        (-0.31, "", "−0.310"),
        (1.2345e-5, "", "1.23e-05"),
        (0.0, "", "0"),
        (1.2345e-5, "q_value", "1.2e-05"),
        (0.0341, "q", "0.034"),
        (0.0, "p", "0"),
        (1.2345e-9, "tomtom_p", "1.2e-09"),
        (float("nan"), "", "–"),
        (float("inf"), "", "∞"),
        (0.5, "sharp", "0.500"),
    ],
)
def test_numbers(value, name, said):
    assert number(value, name) == said


def test_a_column_has_one_number_of_decimals():
    column = grid(Table("t", "t", pd.DataFrame({"share": [0.45, 0.052, 0.0004], "n": [98.4, 3.21, 0.5]})))
    assert [row[0].text for row in column.rows] == ["0.450", "0.052", "4.00e-04"]
    assert [row[1].text for row in column.rows] == ["98.4", "3.2", "0.5"]


def test_whiskers_share_a_scale_that_an_outlier_does_not_squeeze():
    frame = pd.DataFrame({"m": [0.8, 0.7, 0.0], "m_low": [0.75, 0.65, 0.0], "m_high": [0.85, 0.75, 0.0]})
    ours, baseline, majority = (row[0] for row in grid(Table("t", "t", frame)).rows)
    assert ours.whisker[:3] == (50, 75, 100) and baseline.whisker[:3] == (0, 25, 50)
    assert majority.whisker is None and majority.interval == "[0.000, 0.000]"


def test_two_rows_far_apart_have_a_scale():
    """Their median lies between them, near to neither."""
    frame = pd.DataFrame(
        {"model": ["a", "b"], "auroc": [0.5, 0.99], "auroc_low": [0.48, 0.98], "auroc_high": [0.52, 1]}
    )
    (_, first), (_, second) = grid(Table("t", "t", frame)).rows
    assert first.whisker is not None and first.text == "0.500" and second.text == "0.990"


def test_missing_values_booleans_and_long_tables():
    frame = pd.DataFrame({"a": [None, True], "b": pd.array([1, None], dtype="Int64")})
    assert [[cell.text for cell in row] for row in grid(Table("t", "t", frame)).rows] == [["–", "1"], ["yes", "–"]]
    long = grid(Table("t", "t", pd.DataFrame({"n": range(1700)})))
    assert len(long.rows) == 500 and long.left_out == 1200


def test_headings():
    assert [heading(name) for name in ("auroc_diff", "covered_sites", "MCC")] == ["Δ AUROC", "covered sites", "MCC"]


def test_learning_curves_one_picture_per_metric():
    frame = metrics()
    frame["lr-AdamW"] = 0.1
    curves = learning_curves(frame, best_step=20)
    assert list(curves) == ["loss", "auroc", "learning rate"]
    pictures = [Image.open(io.BytesIO(content)) for content in curves.values()]
    assert len({picture.size for picture in pictures}) == 1
    assert pictures[0].getpixel((0, 0))[3] == 0  # transparent: it takes the page's colour
    assert learning_curves(frame, 20, dark=True)["loss"] != curves["loss"]


def test_learning_curves_of_too_little():
    assert learning_curves(pd.DataFrame()) == {}
    assert learning_curves(pd.DataFrame({"step": [0], "train/loss": [1.0], "test/loss": [1.0]})) == {}
