"""Dataset cards: one YAML per real data set, saying where it lies, whose it is and how it misleads.

A card pins every file to an upstream commit by URL, size and sha256. It holds no data: `zoo.domain.download`
turns a card into a folder of verified files.
"""

from __future__ import annotations

import csv
import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import yaml

from zoo.domain.errors import InputError


@dataclass(frozen=True)
class CardFile:
    """One upstream file: `path` inside the set's folder, where it comes from and what it must weigh."""

    path: str
    url: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Card:
    """What is known about one data set before a byte of it is read.

    splits: role -> file path. The upstream's own split (train, validation, test) or, where it has none,
            the classes (positives, negatives).
    mirror: folder of the set inside a local mirror (`ZOO_DATA`), e.g. "genomics/gue-prom300-tata".
    traps:  how a model can look good on this set for the wrong reason.
    """

    name: str
    title: str
    domain: str
    upstream: str  # repository
    commit: str
    licence: str
    citation: str
    mirror: str
    files: tuple[CardFile, ...]
    splits: Mapping[str, str] = field(default_factory=dict)
    traps: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of the whole set."""
        return sum(file.bytes for file in self.files)


def cards_dir() -> Path:
    """The folder of cards: `zoo/_datasets` in an installed wheel, `datasets/` beside `zoo/` in a clone."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_datasets"  # first: beside an installed `zoo` lies Hugging Face's `datasets`
    return installed if installed.is_dir() else package.parent / "datasets"


def load_card(name: str) -> Card:
    """The card called `name`. Raises InputError (with a suggestion) where there is none, or it is malformed."""
    known = sorted(path.stem for path in cards_dir().glob("*.yaml"))
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known) or 'none'}."
        raise InputError(f"There is no data set called '{name}': {hint}")
    return read_card(cards_dir() / f"{name}.yaml")


def all_cards() -> tuple[Card, ...]:
    """Every shipped card, by name."""
    return tuple(read_card(path) for path in sorted(cards_dir().glob("*.yaml")))


def read_card(path: Path) -> Card:
    """Reads and checks one card. Raises InputError naming the file and what is wrong with it."""
    try:
        fields = yaml.safe_load(path.read_text(encoding="utf-8"))
        fields["files"] = _files(fields["files"], path.parent)
        fields["traps"] = tuple(fields.get("traps", ()))
        card = Card(**fields)
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"The data set card {path} cannot be read: {reason}") from error
    mistake = _mistake(card, path.stem)
    if mistake:
        raise InputError(f"The data set card {path} is malformed: {mistake}")
    return card


def _files(told: list[Mapping] | Mapping, folder: Path) -> tuple[CardFile, ...]:
    """As the card lists them, or, where they are hundreds, a CSV beside it does (path, source, bytes, sha256), which
    the card pins by a sha256 of its own; `url` is what their sources are relative to."""
    if not isinstance(told, Mapping):
        return tuple(CardFile(**file) for file in told)
    raw = (folder / PurePosixPath(told["list"]).name).read_bytes()
    if (actual := hashlib.sha256(raw).hexdigest()) != told["sha256"]:
        raise ValueError(f"{told['list']} is not the list that the card names: its sha256 is {actual[:12]}...")
    rows = csv.DictReader(raw.decode("utf-8").splitlines())
    return tuple(CardFile(r["path"], told["url"] + r["source"], int(r["bytes"]), r["sha256"]) for r in rows)


def _mistake(card: Card, stem: str) -> str | None:
    if card.name != stem:
        return f"its name is '{card.name}', but its file is called '{stem}.yaml'."
    if not card.files:
        return "it lists no files."
    for file in card.files:
        if not _stays_inside(file.path) or not _stays_inside(card.mirror):
            return f"the path '{file.path}' (mirror '{card.mirror}') leaves the set's folder."
        if not re.fullmatch(r"[0-9a-f]{64}", str(file.sha256)):
            return f"the sha256 of '{file.path}' is not 64 hexadecimal digits."
        if not re.match(r"https?://", str(file.url)):
            return f"the url of '{file.path}' is not an http(s) address: {file.url}"
    strangers = set(card.splits.values()) - {file.path for file in card.files}
    return f"its splits name files it does not list: {sorted(strangers)}." if strangers else None


def _stays_inside(path: str) -> bool:
    posix = PurePosixPath(path)
    return not posix.is_absolute() and ".." not in posix.parts and "\\" not in path
