"""What the pages tell a reader to type, open and look at is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from zoo.run.cli import _parser
from zoo.run.overrides import check_overrides
from zoo.run.paths import conf_dir

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """Lines of code blocks, continued ones joined, and inline code, without what is a remark."""
    found = []
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        blocks = re.findall(r"```\n(.*?)```", text, flags=re.S)
        lines = [line.split(" #")[0] for block in blocks for line in block.splitlines()]
        inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
        lines += [" ".join(code.split()) for code in inline]
        found += [line.strip() for line in lines]
    return sorted(set(found))


def of(start: str) -> list[list[str]]:
    return [shlex.split(line)[len(start.split()) :] for line in commands() if re.match(rf"{start}( |$)", line)]


@pytest.mark.parametrize("words", of("python train.py") + of("zoo audit"), ids=" ".join)
def test_every_training_command_composes(words):
    whole = [word for word in words if not re.search(r"[/<>]|\.\.\.|=$", word)]
    assert check_overrides(whole, conf_dir(), "train") == []


@pytest.mark.parametrize("verb", ["explain", "predict", "test", "resume", "heads", "datasets"])
def test_every_verb_is_spelt_right(verb):
    lines = of(f"zoo {verb}")
    assert lines
    for words in lines:
        if words and "..." not in words:
            _parser().parse_args([verb, *words])


def test_every_benchmark_is_there():
    names = [words[0] for words in of("python -m") if words[0].startswith("benchmarks.")]
    assert len(names) > 10
    assert [name for name in names if "<" not in name and importlib.util.find_spec(name) is None] == []


def test_every_picture_and_page_is_there():
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)#]+)", page.read_text())]
    assert len(links) > 8
    assert [link for page, link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_every_file_that_is_named_is_there():
    named = [code for code in commands() if re.fullmatch(r"(zoo|tests|conf|benchmarks)/[\w/.]+", code)]
    assert len(named) > 8
    assert [name for name in named if not (ROOT / name).exists()] == []
