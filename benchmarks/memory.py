"""Peak memory, each measurement in a fresh process.

The processes are forked from one that has imported torch and done nothing else, so each starts with the same memory
and none inherits another's heap. On the CPU the peak is the resident set's (`ru_maxrss`), above what is resident once
a tiny run has loaded the code; on a GPU it is the allocator's. glibc is told to hand blocks above 64 KiB back at once,
as it does with those above 32 MiB anyway: what small runs leave in the heap would hide what large ones take.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import resource
import sys
from collections.abc import Callable

import torch

MiB = 1 << 20


class OutOfTime(Exception):
    """The process was stopped at its limit."""


class FreshProcesses:
    """Calls functions of a module's top level, each call in a process of its own, one after the other."""

    def __init__(self, *imported: str):
        os.environ["MALLOC_MMAP_THRESHOLD_"] = str(64 << 10)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["torch", "zoo.attention", *imported])

    def call(self, function: Callable, *arguments: object, limit_s: float = 600.0):
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_answer, args=(sender, function, arguments, torch.get_num_threads()))
        process.start()
        sender.close()
        try:
            if not receiver.poll(limit_s):
                raise OutOfTime(f"{function.__name__}{arguments} took more than {limit_s:.0f} s")
            return receiver.recv()
        except EOFError:
            process.join()
            raise RuntimeError(f"{function.__name__}{arguments} ended with code {process.exitcode}") from None
        finally:
            process.kill()
            process.join()


def _answer(sender, function: Callable, arguments: tuple, threads: int) -> None:
    torch.set_num_threads(threads)
    sender.send(function(*arguments))


def peak_bytes(step: Callable[[], object], tiny: Callable[[], object]) -> int:
    """What `step` takes at its peak above what is there after `tiny`, a small run of the same code."""
    tiny()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step()
        return torch.cuda.max_memory_allocated() - before
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # glibc: hand freed memory back, so that reusing it is counted
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # Linux: the peak starts again from what is resident now
    before = _peak_resident()
    step()
    return _peak_resident() - before


def _peak_resident() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
