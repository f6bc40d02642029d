"""The order of batches, and reading them ahead, which must change nothing but the time it takes."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.bags import BagDataset
from datasets.batches import BatchReader, EvaluationBatches, TrainingBatches
from datasets.folds.cases import Case
from datasets.slides.features import read_slide, write_slide
from utils.errors import UserError
from utils.machine.threads import map_in_threads

READERS = {0: BatchReader(), **{n: BatchReader(partial(map_in_threads, workers=n)) for n in (1, 2, 7)}}


def many_cases(labels: list[int]) -> list[Case]:
    return [Case(str(i), (f"s{i}",), label=label) for i, label in enumerate(labels)]


def training(
    cases: list[Case], paths: dict[str, Path] | None = None, *, batch_size=4, weighted=False, reader=0, **dataset
) -> TrainingBatches:
    return TrainingBatches(
        BagDataset(cases, paths or {}, **dataset),
        batch_size=batch_size,
        weighted=weighted,
        seed_of_epoch=lambda e: 100 + e,
        reader=READERS[reader],
    )


@pytest.fixture
def paths(tmp_path) -> dict[str, Path]:
    generator = torch.Generator().manual_seed(0)
    for number in range(9):
        write_slide(tmp_path / f"s{number}.pt", torch.randn(number + 1, 4, generator=generator).half())
    return {f"s{number}": tmp_path / f"s{number}.pt" for number in range(9)}


CASES = many_cases([0, 1, 1] * 3)


def reading_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def content(batches) -> list[tuple]:
    return [(batch.slide_ids, batch.features.tolist(), batch.target["label"].tolist()) for batch in batches]


def test_an_epoch_visits_every_case_once_in_an_order_of_its_own():
    batches = training(many_cases([0, 1] * 5))
    assert batches.batch_sizes == [4, 4, 2]
    orders = [[number for batch in batches.order(epoch) for number, _ in batch] for epoch in (1, 2)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10))
    assert orders[0] != orders[1]
    assert [len(batch) for batch in batches.order(1)] == batches.batch_sizes
    assert batches.order(1) == training(many_cases([0, 1] * 5)).order(1)  # a function of the epoch alone


def test_weighted_sampling_draws_classes_evenly():
    """9 of 10 cases are of class 0; over 200 epochs half of the draws are of class 1 (standard error 0.011)."""
    cases = many_cases([0] * 9 + [1])
    batches = training(cases, weighted=True)
    drawn = [cases[number].label for epoch in range(200) for batch in batches.order(epoch) for number, _ in batch]
    assert len(drawn) == 2000
    assert abs(np.mean(drawn) - 0.5) < 0.05


def test_weighted_sampling_of_survival_goes_by_time_bin():
    cases = [Case(str(i), (f"s{i}",), time=3.5, censored=0, bin=b) for i, b in enumerate((0, 1, 1))]
    np.testing.assert_allclose(training(cases, weighted=True).weights, [0.5, 0.25, 0.25])


@pytest.mark.parametrize("reader", READERS)
def test_evaluation_has_every_case_in_order_however_often(paths, reader):
    batches = EvaluationBatches(BagDataset(CASES, paths, max_patches=2), batch_size=4, reader=READERS[reader])
    assert len(batches) == 3
    for _ in range(2):
        assert [batch.slide_ids for batch in batches] == [
            ("s0", "s1", "s2", "s3"),
            ("s4", "s5", "s6", "s7"),
            ("s8",),
        ]
    assert [len(batch.features) for batch in batches] == [10, 26, 9]  # all patches


@pytest.mark.parametrize("reader", [1, 2, 7])
@pytest.mark.parametrize("batch_size", [1, 4, 9])
def test_reading_ahead_changes_nothing(paths, reader, batch_size):
    options = {"batch_size": batch_size, "max_patches": 3}
    plain, ahead = training(CASES, paths, **options), training(CASES, paths, reader=reader, **options)
    for epoch in (1, 2, 5):
        assert content(plain.epoch(epoch)) == content(ahead.epoch(epoch))
    assert content(plain.epoch(1)) != content(plain.epoch(2))


@pytest.mark.parametrize("reader", READERS)
def test_reading_does_not_move_the_global_generator(paths, reader):
    """Dropout is drawn from it: a run that reads ahead must repeat a run that does not."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(training(CASES, paths, reader=reader).epoch(1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("reader", READERS)
def test_an_unreadable_slide_is_the_same_error_at_the_same_batch(paths, reader):
    batches = training(CASES, paths, batch_size=1, reader=reader)
    (fifth, _), *_ = batches.order(1)[5]
    paths[f"s{fifth}"].write_bytes(b"")
    epoch = batches.epoch(1)
    assert len([next(epoch) for _ in range(5)]) == 5
    with pytest.raises(UserError, match=rf"s{fifth}\.pt is an empty file"):
        next(epoch)
    assert reading_threads() == []


@pytest.mark.parametrize("reader", [1, 2, 7])
def test_no_more_batches_are_read_ahead_than_there_are_threads(paths, reader):
    started, lock = [], threading.Lock()

    def read(path: Path):
        with lock:
            started.append(path)
        return read_slide(path)

    epoch = training(CASES, paths, batch_size=1, reader=reader, read=read).epoch(1)
    assert started == []
    for taken in range(1, 4):
        next(epoch)
        assert len(started) <= taken + reader
    epoch.close()
    assert reading_threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_epoch_left_half_way_leaves_no_thread(paths, error):
    def train() -> None:
        for number, _ in enumerate(training(CASES, paths, batch_size=1, reader=2).epoch(1)):
            if number == 3:
                raise error

    with pytest.raises(error):
        train()
    assert reading_threads() == []


def test_a_batch_is_pinned_by_the_thread_that_reads_it(paths, monkeypatch):
    threads = []
    monkeypatch.setattr("datasets.bags.Batch.pin_memory", lambda batch: threads.append(threading.get_ident()) or batch)
    for reader, others in ((READERS[0].map_in_order, False), (READERS[2].map_in_order, True)):
        list(BatchReader(reader, pin_memory=True)(BagDataset(CASES, paths), [[0], [1]]))
        assert len(threads) == 2
        assert all((thread != threading.get_ident()) == others for thread in threads)
        threads.clear()


def test_slides_are_read_at_the_same_time(paths):
    """Both readers wait for the other: with one thread they would wait for ever."""
    meeting = threading.Barrier(2)

    def read(path: Path):
        meeting.wait(timeout=20)
        return read_slide(path)

    assert len(list(training(CASES[:8], paths, batch_size=1, reader=2, read=read).epoch(1))) == 8
