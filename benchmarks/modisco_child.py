"""One method of `benchmarks.modisco` in a process of its own: python modisco_child.py METHOD GIVEN.npz MADE.npz"""

import json
import resource
import sys
import time

import numpy as np


def ours(codes, negatives, score):
    from zoo.genomics.discover import discover
    from zoo.genomics.seqlets import find_seqlets

    start = time.perf_counter()
    seqlets = find_seqlets(score.astype(float), np.ones(codes.shape, bool))
    found = [d.motif.counts for d in discover(codes, seqlets, negatives)]
    return found, time.perf_counter() - start


def modisco(codes, negatives, score):
    from modiscolite.tfmodisco import TFMoDISco

    one_hot = np.eye(4, dtype=np.float32)[codes]
    start = time.perf_counter()
    positive, _ = TFMoDISco(one_hot=one_hot, hypothetical_contribs=one_hot * score[..., None].astype(np.float32))
    taken = time.perf_counter() - start
    return [np.asarray(p.sequence) * len(p.seqlets) for p in positive or []], taken


if __name__ == "__main__":
    method, given, made = sys.argv[1:]
    with np.load(given) as arrays:
        found, taken = {"ours": ours, "modisco-lite": modisco}[method](**arrays)
    np.savez(made, *found)
    print(json.dumps({"seconds": taken, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
