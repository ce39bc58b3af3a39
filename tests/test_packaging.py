"""What leaves this repository: the wheel works without the clone, and no file tells where it was made."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[1]
LARGEST = 500_000  # bytes
# Written apart, so that this file does not hold what it looks for.
REVEALING = tuple(
    "".join(parts).encode() for parts in [("/wo", "rk/"), ("/ro", "ot/"), ("pypi", ".org"), ("python", "hosted")]
)


def files_below(folder: str) -> set[str]:
    return {
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


# ---- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built with what is installed; nothing is downloaded, nothing is written to the repository."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(REPOSITORY)]
    built = subprocess.run(command, cwd=out, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Runs Python with the unpacked wheel in front of everything else, in a folder that holds nothing."""
    site, elsewhere = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("elsewhere")
    zipfile.ZipFile(wheel).extractall(site)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "ZOO_"))}
    environment |= {"PYTHONPATH": str(site), "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}

    def python(*words: str) -> str:
        result = subprocess.run(
            [sys.executable, *words], cwd=elsewhere, env=environment, capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    python.site, python.cwd = site, elsewhere
    return python


def test_the_wheel_holds_code_configs_cards_and_template(wheel):
    """Every file of `zoo/`, `conf/` as zoo/_conf and `datasets/` as zoo/_datasets; no tests, no runs."""
    names = set(zipfile.ZipFile(wheel).namelist())
    moved = {"zoo/_conf" + name.removeprefix("conf") for name in files_below("conf")}
    moved |= {"zoo/_datasets" + name.removeprefix("datasets") for name in files_below("datasets")}
    assert "zoo/_conf/train.yaml" in moved and any(name.startswith("zoo/run/template/") for name in names)
    assert any(name.startswith("zoo/_datasets/") and name.endswith(".yaml") for name in names)
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - metadata == files_below("zoo") | moved
    assert any(name.endswith("/LICENSE") for name in metadata)


@pytest.mark.slow
def test_the_wheel_lists_its_experiments_and_data_sets(installed):
    """`zoo list` and `zoo datasets` find configs and cards inside the package, from any folder."""
    where = installed("-c", "import zoo; print(zoo.__file__)")
    assert Path(where.strip()).is_relative_to(installed.site)
    listed = installed("-m", "zoo.run", "list")
    assert all(path.stem in listed for path in (REPOSITORY / "conf" / "experiment").glob("*.yaml"))
    listed = installed("-m", "zoo.run", "datasets")
    assert all(path.stem in listed for path in (REPOSITORY / "datasets").glob("*.yaml"))


@pytest.mark.slow
def test_the_wheel_trains_a_batch(installed):
    """A config composes from zoo/_conf and is built; nothing is written beside the run folder."""
    words = ["debug=fast_dev_run", "data.num_sequences=200", "logger=csv", "callbacks.progress=null"]
    installed("-m", "zoo.run", "train", *words, "hydra.run.dir=dev")
    config = yaml.safe_load((installed.cwd / "dev" / "config.yaml").read_text())
    assert config["data"]["num_sequences"] == 200 and config["trainer"]["fast_dev_run"] is True
    assert [path.name for path in installed.cwd.iterdir()] == ["dev"]


def test_the_wheel_renders_a_report(installed):
    """The template and its script are found inside the package."""
    code = """
import pandas as pd
from zoo.run.report import RunSummary, render_report
metrics = pd.DataFrame({"step": [0, 1], "epoch": [0, 1], "valid/loss": [1.0, 0.5]})
print(render_report(RunSummary("a run from the wheel", "command", "config", {}, metrics)))
"""
    page = installed("-c", code)
    assert "a run from the wheel" in page and page.rstrip().endswith("</html>")


# ---- the repository


def test_the_folder_of_cards_does_not_hide_hugging_faces_datasets():
    """`import datasets` in the repository's root is the installed library: a folder without __init__.py gives way."""
    code = "import sys, datasets; print(sys.path[0] == '', datasets.__file__, callable(datasets.load_dataset))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    in_root, file, loads = shown.stdout.split()
    assert in_root == loads == "True"
    assert not Path(file).is_relative_to(REPOSITORY / "datasets")


def tracked() -> list[Path]:
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout: nobody can say which files are tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := REPOSITORY / name).is_file()]


def test_no_file_tells_of_this_machine_and_none_is_large():
    """Tracked text holds no path of the machine it was written on and no host of a package index, and is small."""
    paths = tracked()
    assert Path(__file__).resolve() in paths or len(paths) > 50
    wrong = []
    for path in paths:
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue  # a picture
        wrong += [f"{path.relative_to(REPOSITORY)}: {word.decode()}" for word in REVEALING if word in content]
        if len(content) > LARGEST:
            wrong.append(f"{path.relative_to(REPOSITORY)}: {len(content)} bytes")
    assert not wrong
