"""What a sceptic would try first: logistic regression on k-mer counts, on base-at-position, and on both.

Each function takes the same three parts as the model, chooses C by the validation part's cross-entropy (one, for
audits, inside the training part) and returns the test part's probabilities. Each kind of features is scaled to unit
length in every sequence: on JUND's validation part (6-mers) the cross-entropy is then .234, against .253 raw and .310
standardised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import normalize

from zoo.genomics.sequences import Sequences, one_hot
from zoo.genomics.split import kmers

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # scikit-learn's C: the inverse of the L2 penalty
INNER_FOLDS = 3
LARGE = 20_000  # training sequences, from which on liblinear takes minutes where the labels say little
Features = Callable[[Sequences], csr_matrix]


def kmer_regression(
    train: Sequences, validation: Sequences, test: Sequences, k: Sequence[int] = (4, 5, 6), canonical: bool = True
) -> NDArray[np.float64]:
    """P(class 1) [len(test)] from k-mer counts; canonical counts a k-mer with its reverse complement."""
    return _regress(train, validation, test, lambda part: kmer_counts(part, k, canonical))


def position_regression(train: Sequences, validation: Sequences, test: Sequences) -> NDArray[np.float64]:
    """P(class 1) [len(test)] from which base stands where, counted from the sequence's start."""
    length = train.codes.shape[1]
    return _regress(train, validation, test, lambda part: base_at_position(part, length))


def position_regression_alone(train: Sequences, test: Sequences) -> NDArray[np.float64]:
    """As `position_regression`, with C chosen by cross-validation inside the training part: for those who score the
    validation part too."""
    length = train.codes.shape[1]
    folds = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=0)
    model = GridSearchCV(_logistic(len(train)), {"C": STRENGTHS}, scoring="neg_log_loss", cv=folds)
    model.fit(base_at_position(train, length), train.labels)
    return model.predict_proba(base_at_position(test, length))[:, 1]


def combined_regression(
    train: Sequences, validation: Sequences, test: Sequences, k: Sequence[int] = (4, 5, 6), canonical: bool = True
) -> NDArray[np.float64]:
    """P(class 1) [len(test)] from both kinds of features side by side."""
    length = train.codes.shape[1]

    def features(part: Sequences) -> csr_matrix:
        return hstack([kmer_counts(part, k, canonical), base_at_position(part, length)], format="csr")

    return _regress(train, validation, test, features)


def kmer_counts(sequences: Sequences, k: Sequence[int], canonical: bool) -> csr_matrix:
    """float [N, sum of 4^k], each row of unit length; windows with N are not counted."""
    return normalize(hstack([_counts(sequences, size, canonical) for size in k], format="csr"))


def base_at_position(sequences: Sequences, length: int) -> csr_matrix:
    """float [N, 4 * length], each row of unit length; what lies beyond `length` is cut, what is missing is zero."""
    present = one_hot(sequences.codes[:, :length]).reshape(len(sequences), -1)
    features = csr_matrix(present)
    features.resize(len(sequences), 4 * length)
    return normalize(features)


def _counts(sequences: Sequences, k: int, canonical: bool) -> csr_matrix:
    number, real = kmers(sequences.codes, k, canonical)
    rows, columns = np.nonzero(real)[0], number[real].astype(np.int64)
    counts = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(sequences), 4**k))
    counts.sum_duplicates()
    return counts


def _logistic(num: int) -> LogisticRegression:
    return LogisticRegression(solver="liblinear" if num <= LARGE else "lbfgs", random_state=0, max_iter=200)


def _regress(train: Sequences, validation: Sequences, test: Sequences, features: Features) -> NDArray[np.float64]:
    inputs, held_out = features(train), features(validation)
    best_loss, best = np.inf, None
    for strength in STRENGTHS:
        model = _logistic(len(train)).set_params(C=strength).fit(inputs, train.labels)
        loss = log_loss(validation.labels, model.predict_proba(held_out)[:, 1], labels=[0, 1])
        if loss < best_loss:
            best_loss, best = loss, model
    return best.predict_proba(features(test))[:, 1]
