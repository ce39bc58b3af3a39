"""The `zoo` command. Its verbs reach a domain through the run's own model and data, and name none."""

from __future__ import annotations

import argparse
import contextlib
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from rich.progress import track

from zoo.domain.cards import all_cards, load_card
from zoo.domain.download import fetch, locate
from zoo.domain.errors import InputError, LeftOut
from zoo.domain.insight import Table
from zoo.domain.module import DomainModule
from zoo.run import console
from zoo.run.audit import audit
from zoo.run.ensemble import check_same_test, mean_table, opened
from zoo.run.files import check_writable, write_bytes, write_text
from zoo.run.finish import INTERVALS, OURS, check_insight_folder, predict_all, score, show, write_insight, write_report
from zoo.run.folder import RunFolder
from zoo.run.heads import study_heads, write_heads
from zoo.run.paths import conf_dir
from zoo.run.train import main as train
from zoo.run.train import quiet, resume

VERBS = ("train", "resume", "audit", "explain", "predict", "test", "heads", "datasets", "list")

REFERENCE = "what the input speaks of: the genome of its places, the sequences it changes, its structure"


def main(argv: list[str] | None = None) -> None:
    """Exits with 2 after a mistake of the person's, having said it in one sentence."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["train"]:  # its words are Hydra's
        train(words[1:], verb=("train",))
        return
    arguments = _parser().parse_args(words)
    quiet()
    try:
        arguments.verb(arguments)
    except InputError as error:
        console.mistakes([str(error)])
        sys.exit(2)
    except KeyboardInterrupt:
        console.say("Stopped.")
        sys.exit(130)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="zoo", description="Train one attention on many worlds, and read it.")
    verbs = parser.add_subparsers(required=True, metavar="{" + ",".join(VERBS) + "}")
    verbs.add_parser("train", help="zoo train experiment=NAME key=value ...", add_help=False)

    verb = verbs.add_parser("resume", help="go on with a run from its last saved point")
    verb.add_argument("run")
    verb.add_argument("overrides", nargs="*", metavar="key=value")
    verb.set_defaults(verb=lambda a: resume(a.run, a.overrides))

    verb = verbs.add_parser("audit", help="how the data of an experiment mislead, before anything is trained")
    verb.add_argument("overrides", nargs="*", metavar="key=value")
    verb.add_argument("--output", type=Path, help="folder to write to (default: runs/NAME/audit)")
    verb.set_defaults(verb=lambda a: audit(a.overrides, a.output))

    verb = verbs.add_parser("explain", help="what the attention says, of the test part or of your own file")
    verb.add_argument("run")
    verb.add_argument("--input", type=Path, help="a file of the domain's kind")
    verb.add_argument("--reference", "--genome", "--structure", type=Path, help=REFERENCE)
    verb.add_argument("--output", type=Path, help="folder to write to (default: in the run folder)")
    verb.add_argument("--strict", action="store_true", help="stop if anything in the input would be left out")
    verb.set_defaults(verb=explain)

    verb = verbs.add_parser("predict", help="a table of predictions for your own file")
    verb.add_argument("run", nargs="+", help="of several, the mean")
    verb.add_argument("--input", type=Path, required=True)
    verb.add_argument("--reference", "--genome", "--structure", type=Path, help=REFERENCE)
    verb.add_argument("--output", type=Path, help="CSV to write (default: in the run folder)")
    verb.add_argument("--embeddings", action="store_true", help="write what the head reads, as .npy, too")
    verb.add_argument("--strict", action="store_true", help="stop if anything in the input would be left out")
    verb.set_defaults(verb=predict)

    verb = verbs.add_parser("test", help="metrics with confidence intervals, of the test part or of your labelled file")
    verb.add_argument("run", nargs="+", help="of several, the mean; the test part is the first's")
    verb.add_argument("--input", type=Path)
    verb.add_argument("--structure", type=Path, dest="reference", help="what the input is scored against")
    verb.add_argument("--strict", action="store_true", help="stop if anything in the input would be left out")
    verb.set_defaults(verb=test)

    verb = verbs.add_parser("heads", help="what each attention head does: tables, likeness, a page to explore")
    verb.add_argument("run")
    verb.add_argument("--output", type=Path, help="new folder to write to (default: heads/ in the run folder)")
    verb.add_argument("--batches", type=int, default=8, help="batches drawn from the validation part (default: 8)")
    verb.set_defaults(verb=heads)

    verb = verbs.add_parser("datasets", help="list the data sets, or fetch some")
    verb.add_argument("action", nargs="?", choices=("list", "fetch"), default="list")
    verb.add_argument("names", nargs="*", metavar="NAME")
    verb.set_defaults(verb=datasets)

    verb = verbs.add_parser("list", help="list the experiments")
    verb.set_defaults(verb=list_experiments)
    return parser


def explain(arguments: argparse.Namespace) -> None:
    run = RunFolder.open(arguments.run)
    if arguments.output is not None:
        check_insight_folder(arguments.output)
        check_writable(arguments.output)
    model = _on_device(run.model())
    if arguments.input is None:
        data = run.data()
        data.setup()
        scores, insight = score(model, data), model.insight(data)
        folder = arguments.output or run.path / "insight"
        write_insight(folder, insight)
        write_report(run, scores, insight, arguments.output and folder / "report.html")
        show(scores, insight)
    else:
        insight = model.insight(_opened(run, model, arguments))
        folder = arguments.output or run.path / f"insight_{_stem(arguments.input)}"
        write_insight(folder, insight)
        write_report(run, [], insight, folder / "report.html")
        show([], insight)
    console.say(f"\nFiles: {folder}")


@torch.no_grad()
def predict(arguments: argparse.Namespace) -> None:
    run = RunFolder.open(arguments.run[0])
    if arguments.embeddings and len(arguments.run) > 1:
        raise InputError("--embeddings: the vectors of several runs have no common axes; name one run")
    path = arguments.output or run.path / f"predictions_{_stem(arguments.input)}.csv"
    if arguments.output is not None and (path.exists() or path.suffix == ".npy"):
        raise InputError(f"--output {path}: give the name of a new CSV file")
    vectors_path = path.with_suffix(".npy")
    if arguments.output is not None and arguments.embeddings and vectors_path.exists():
        raise InputError(f"--output {path}: {vectors_path} exists and would be written over; give another name")
    check_writable(path)
    models = [_on_device(model) for model in opened(arguments.run).values()]
    loader = _opened(run, models[0], arguments)
    columns: list[dict[str, list]] = [{} for _ in models]
    vectors = []
    for batch in track(loader, description="Predicting", transient=True):
        for model, said in zip(models, columns, strict=True):
            here = model.transfer_batch_to_device(batch, model.device, 0)
            for name, values in model.predictions(here).items():
                said.setdefault(name, []).extend(values)
            if arguments.embeddings:
                vectors.append(model.embeddings(here).float().cpu())
    write_text(path, mean_table([pd.DataFrame(said) for said in columns]).to_csv(index=False))
    console.say(f"Predictions: {path}")
    if arguments.embeddings:
        write_bytes(vectors_path, _npy(torch.cat(vectors)))
        console.say(f"Embeddings:  {vectors_path}")


def test(arguments: argparse.Namespace) -> None:
    models = {name: _on_device(model) for name, model in opened(arguments.run).items()}
    if arguments.reference is not None and arguments.input is None:
        raise InputError("--structure: name with --input the file that it is the structure of")
    if arguments.input is None:
        data = {name: RunFolder.open(name).data() for name in models}
        for part in data.values():
            part.setup()
        check_same_test(models, data)
        (first, model), *others = models.items()
        tables = score(model, data[first], dict(others))
    else:
        with _strictly(arguments.strict):
            tables = [_own_scores(list(models.values()), arguments)]
    for table in tables:
        console.table(table.title, table.frame[[c for c in table.frame if "_diff" not in str(c)]])


def _own_scores(models: list[DomainModule], arguments: argparse.Namespace) -> Table:
    from zoo.domain.scoreboard import scoreboard

    path, reference = arguments.input, arguments.reference
    if reference is not None and not models[0].reference_is_truth:
        raise InputError("--structure: this model is scored against labels in the input itself; leave it out")
    said = []
    for model in models:
        if reference is None:
            loader = model.open_input(path, labelled=True)
        else:
            loader = model.open_referring(path, reference, RunFolder.open(arguments.run[0]).data())
        said.append(predict_all(model, loader))
    prediction, target = torch.stack([prediction for prediction, _ in said]).mean(0), said[0][1]
    few = f" Only {len(target)} examples: the intervals say little." if len(target) < 20 else ""
    few = " 1 example: no interval." if len(target) == 1 else few
    return Table("scores", str(path) + few, scoreboard({OURS: prediction}, target, models[0].new_metrics()), INTERVALS)


def heads(arguments: argparse.Namespace) -> None:
    run = RunFolder.open(arguments.run)
    if arguments.batches < 1:
        raise InputError(f"--batches {arguments.batches}: at least 1 is needed")
    folder = arguments.output or run.path / "heads"
    if arguments.output is not None and arguments.output.exists():
        raise InputError(f"--output {arguments.output} exists: name a new folder")
    check_writable(folder)
    model = _on_device(run.model())
    data = run.data()
    data.setup()
    title = str(run.config().get("name", run.path.name))
    write_heads(folder, title, study_heads(model, data, arguments.batches))


def datasets(arguments: argparse.Namespace) -> None:
    if arguments.action == "fetch":
        for name in arguments.names or [card.name for card in all_cards()]:
            console.say(f"{name}: {fetch(load_card(name))}")
        return
    rows = [
        {
            "name": card.name,
            "domain": card.domain,
            "here": "yes" if locate(card) else "no",
            "MB": card.bytes / 1e6,
            "title": card.title,
        }
        for card in all_cards()
    ]
    console.table("Data sets", pd.DataFrame(rows))
    console.say("\nzoo datasets fetch NAME downloads one; ZOO_DATA names a local mirror.")


def list_experiments(arguments: argparse.Namespace) -> None:
    rows = []
    for path in sorted((conf_dir() / "experiment").glob("*.yaml")):
        lines = path.read_text(encoding="utf-8").splitlines()
        about = next((line.lstrip("# ") for line in lines if line.startswith("#") and "@package" not in line), "")
        rows.append({"experiment": path.stem, "what": about})
    console.table("Experiments", pd.DataFrame(rows))
    console.say("\npython train.py experiment=NAME, or zoo train experiment=NAME")


def _opened(run: RunFolder, model, arguments: argparse.Namespace):
    with _strictly(arguments.strict):
        if arguments.reference is None:
            return model.open_input(arguments.input)
        return model.open_referring(arguments.input, arguments.reference, run.data())


@contextlib.contextmanager
def _strictly(strict: bool) -> Iterator[None]:
    """What would be left out of the input with a warning stops instead."""
    with warnings.catch_warnings():
        if strict:
            warnings.simplefilter("error", LeftOut)
        try:
            yield
        except LeftOut as found:
            raise InputError(f"{found.everything}\nTake them out, or leave --strict away") from found


def _on_device(model):
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def _stem(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _npy(vectors: torch.Tensor) -> bytes:
    import io

    import numpy as np

    stream = io.BytesIO()
    np.save(stream, vectors.numpy())
    return stream.getvalue()
