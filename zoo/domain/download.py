"""From a card to a folder of verified files: a local mirror, the cache, or the network.

`ZOO_DATA`   a local mirror; its files are used in place and never written to.
`ZOO_CACHE`  where downloads go; default: the system's cache folder for `attention-zoo`.

A file is whole or absent: pooch downloads to a temporary name, checks the sha256 and only then renames it.
A stamp in the cache remembers which files (size, modification time) were hashed, so each is hashed once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from pathlib import Path
from typing import Any

import pooch
import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from zoo.domain.cards import Card, CardFile, load_card
from zoo.domain.errors import InputError


def cache_dir() -> Path:
    """Where downloaded sets and the stamps of verified files lie."""
    named = os.environ.get("ZOO_CACHE")
    return Path(named).expanduser() if named else Path(pooch.os_cache("attention-zoo"))


def locate(card: Card) -> Path | None:
    """The folder that holds every file of the set at its right size, or None. No network, no hashing."""
    return next((folder for folder in _folders(card) if _complete(folder, card)), None)


def not_here(name: str) -> list[str]:
    """One sentence if there is no such card or its files are not here: what a data module says of it beforehand."""
    try:
        if locate(load_card(name)) is not None:
            return []
    except InputError as error:
        return [str(error)]
    return [f"the data set {name} is not here yet: run `zoo datasets fetch {name}`, or set ZOO_DATA to a mirror"]


def fetch(card: Card, progress: bool = True) -> Path:
    """The folder of the set's files, each verified by sha256; downloads what is missing.

    Order: the mirror `ZOO_DATA`, the cache, the network. Where a mirror is named the network is not asked:
    who names a mirror means that mirror.

    Raises InputError for a wrong checksum, a truncated file, no network, or a mirror without the set.
    """
    found = locate(card)
    if found is not None:
        try:
            _verify(found, card)
            return found
        except InputError:
            if found != _cached(card):  # a damaged mirror is the person's to mend; our cache we mend here
                raise
    if os.environ.get("ZOO_DATA"):
        raise InputError(_mirror_lacks(card))
    folder = _cached(card)
    _download(card, folder, progress)
    _verify(folder, card)
    return folder


def _cached(card: Card) -> Path:
    return cache_dir() / card.mirror


def _mirror_folders(card: Card) -> list[Path]:
    """Where a mirror may keep the set: in its folder, in a folder by its name, or flat."""
    named = os.environ.get("ZOO_DATA")
    if not named:
        return []
    root = Path(named).expanduser()
    return [root / card.mirror, root / card.name, root]


def _folders(card: Card) -> list[Path]:
    return [*_mirror_folders(card), _cached(card)]


def _has_size(path: Path, file: CardFile) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes


def _complete(folder: Path, card: Card) -> bool:
    return all(_has_size(folder / file.path, file) for file in card.files)


def _mirror_lacks(card: Card) -> str:
    root = os.environ["ZOO_DATA"]
    for file in card.files:
        for folder in _mirror_folders(card)[:2]:
            path = folder / file.path
            if path.is_file() and not _has_size(path, file):
                return (
                    f"{path} has {path.stat().st_size:,} bytes where the card of '{card.name}' says "
                    f"{file.bytes:,}: it is truncated or another version; copy it there again."
                )
    return (
        f"The mirror ZOO_DATA={root} does not hold the data set '{card.name}' (looked for "
        f"{card.files[0].path} in {card.mirror}/, {card.name}/ and {root}): put it there, or unset ZOO_DATA "
        "to download it."
    )


def _stamp(card: Card) -> Path:
    return cache_dir() / "verified" / f"{card.name}.json"


def _verify(folder: Path, card: Card) -> None:
    """Hashes what the stamp does not vouch for. Raises InputError at the first file that is not the card's."""
    seen: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        seen = dict(json.loads(_stamp(card).read_text()))
    fresh = {}
    for file in card.files:
        path = (folder / file.path).resolve()
        state = path.stat()
        mark = [file.sha256, state.st_size, state.st_mtime_ns]
        if seen.get(str(path)) != mark and (actual := pooch.file_hash(str(path), alg="sha256")) != file.sha256:
            raise InputError(
                f"{path} is not the file of the data set '{card.name}': its sha256 is {actual[:12]}..., the "
                f"card says {file.sha256[:12]}...; delete it and fetch the set again."
            )
        fresh[str(path)] = mark
    if fresh != seen:
        with contextlib.suppress(OSError):  # a cache that cannot be written costs a hash, not the run
            _stamp(card).parent.mkdir(parents=True, exist_ok=True)
            partial = _stamp(card).with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(fresh))
            partial.replace(_stamp(card))


def _download(card: Card, folder: Path, progress: bool) -> None:
    pooch.get_logger().setLevel(logging.WARNING)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not progress, transient=True) as bars:
        for file in card.files:
            downloader = pooch.HTTPDownloader(progressbar=_Bar(bars, f"{card.name}/{file.path}"), timeout=30)
            source = pooch.create(
                path=folder,
                base_url="",
                registry={file.path: f"sha256:{file.sha256}"},
                urls={file.path: file.url},
            )
            try:
                source.fetch(file.path, downloader=downloader)
            except requests.HTTPError as error:
                status = error.response.status_code
                raise InputError(f"{file.url} answered with HTTP status {status}: nothing was saved.") from error
            except requests.exceptions.ChunkedEncodingError as error:
                raise InputError(f"The download of {file.url} broke off: nothing was saved; try again.") from error
            except requests.RequestException as error:
                raise InputError(
                    f"{file.url} cannot be reached ({type(error).__name__}): check the network, or name a folder "
                    f"that holds {card.mirror}/{file.path} in ZOO_DATA."
                ) from error
            except ValueError as error:
                raise InputError(
                    f"What {file.url} sent is not the file of the data set '{card.name}' (its sha256 differs from "
                    "the card's): nothing was saved; try again, or report it if it stays so."
                ) from error
            except OSError as error:
                raise InputError(f"{file.path} cannot be saved in {folder}: {error.strerror or error}") from error


class _Bar:
    """What pooch asks of a progress bar (`total`, `update`, `reset`, `close`), drawn by Rich."""

    def __init__(self, bars: Progress, title: str) -> None:
        self._bars, self._task = bars, bars.add_task(title, total=None)

    @property
    def total(self) -> float | None:
        return self._bars.tasks[self._task].total

    @total.setter
    def total(self, value: float) -> None:
        self._bars.update(self._task, total=value)

    def update(self, advance: float) -> None:
        self._bars.advance(self._task, advance)

    def reset(self) -> None:
        self._bars.reset(self._task, total=self.total)

    def close(self) -> None:
        self._bars.stop_task(self._task)
