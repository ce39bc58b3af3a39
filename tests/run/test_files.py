"""Whole or absent, whatever kills the writer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.run.files import write_bytes, write_text

ROOT = Path(__file__).parents[2]
WRITER = """
import sys, itertools
from zoo.run.files import write_bytes
print("ready", flush=True)
for turn in itertools.count():
    write_bytes(sys.argv[1], bytes([turn % 251]) * 4_000_000)
"""


def test_text_and_bytes_arrive_as_given(tmp_path):
    assert write_text(tmp_path / "new" / "folder" / "µ.txt", "one\r\ntwo µ\n").read_bytes() == "one\r\ntwo µ\n".encode()
    assert write_bytes(str(tmp_path / "b"), b"\x00\xff").read_bytes() == b"\x00\xff"


def test_the_old_content_is_replaced_and_nothing_else_is_left(tmp_path):
    for text in ("a long first text", "short"):
        write_text(tmp_path / "file", text)
    assert (tmp_path / "file").read_text() == "short"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        assert write_text(tmp_path / "file", "x").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_failed_write_keeps_the_old_content(tmp_path, monkeypatch):
    write_text(tmp_path / "file", "old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_sigkill_leaves_old_or_new_but_whole(tmp_path):
    path, parts_left = tmp_path / "file", 0
    for turn in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        writer.stdout.readline()
        time.sleep(0.05 + 0.007 * turn)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        if path.exists():
            content = path.read_bytes()
            assert len(content) == 4_000_000 and content == content[:1] * len(content)
        parts_left += sum(1 for part in tmp_path.glob(".file.*.part"))
    assert path.exists()
    assert parts_left, "no kill fell into a write: the test has shown nothing"
