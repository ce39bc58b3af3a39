import pandas as pd

from benchmarks import cross_validation


def test_folds_that_are_done_are_kept_whatever_the_overrides_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(cross_validation, "FOLDER", tmp_path)
    overrides = [
        ["data.positives=my/peaks.fa"],
        ["data.positives=my/peaks.fa", "trainer.max_epochs=3"],
        ["x" * 300],
        [],
    ]
    files = [cross_validation.partial_file("cross_validation_sigma70", given) for given in overrides]
    for file in files:
        pd.DataFrame({"fold": [0]}).to_csv(file, index=False)
    assert len(set(files)) == 4 and {file.parent for file in files} == {tmp_path}
    assert cross_validation.partial_file("cross_validation_sigma70", overrides[0]) == files[0]
