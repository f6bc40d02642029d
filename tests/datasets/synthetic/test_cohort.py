from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sksurv.metrics import concordance_index_censored

from datasets.folds.cases import Case
from datasets.folds.splits import find_folds, read_fold
from datasets.slides.features import find_slides, read_slide
from datasets.synthetic.__main__ import main
from datasets.synthetic.cohort import Cohort, CohortSettings, make_cohort
from datasets.synthetic.outcomes import draw_survival
from datasets.synthetic.tissue import plant_two_regions, scatter_regions, section_cells
from utils.errors import UserError

SMALL = {"n_cases": 24, "patches_per_slide": (40, 60), "dim": 8}


def tissue_of(cohort: Cohort, slide_id: str) -> np.ndarray:
    return torch.load(cohort.truth_dir / f"{slide_id}.pt", weights_only=True).numpy()


def cells_of(cohort: Cohort, slide_id: str) -> np.ndarray:
    coords = read_slide(cohort.features_dir / f"{slide_id}.h5").coords
    assert coords is not None
    return coords.numpy() // 448


def content(directory: Path) -> dict[str, bytes]:
    paths = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def n_pieces(cells: np.ndarray) -> int:
    """Number of connected pieces (8 neighbours) of a set of grid cells."""
    left, pieces = {tuple(cell) for cell in cells.tolist()}, 0
    while left:
        pieces, stack = pieces + 1, [left.pop()]
        while stack:
            x, y = stack.pop()
            near = {(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)} & left
            left -= near
            stack.extend(near)
    return pieces


@pytest.fixture(scope="module")
def survival(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return make_cohort(tmp_path_factory.mktemp("surv"), CohortSettings())


class TestSurvivalCohort:
    def test_true_risk_is_the_log_hazard_of_the_aggressive_share(self, survival: Cohort) -> None:
        shares = np.array(
            [
                np.isin(np.concatenate([tissue_of(survival, s) for s in case.slide_ids]), (0, 1)).mean()
                for case in survival.cases
            ]
        )
        np.testing.assert_allclose(survival.true_risk, 1.6 * (shares - shares.mean()) / shares.std(), rtol=1e-12)
        assert survival.signal_tissues == (0, 1)

    def test_c_index_of_the_true_risk_is_near_0_8(self, survival: Cohort) -> None:
        event = np.array([case.censored == 0 for case in survival.cases])
        time = np.array([case.time for case in survival.cases])
        assert survival.c_index == concordance_index_censored(event, time, survival.true_risk)[0]
        assert 0.75 < survival.c_index < 0.85
        truth = json.loads((survival.truth_dir.parent / "truth.json").read_text())
        assert truth["c_index_true_risk"] == survival.c_index
        assert truth["complete"] is True
        assert (~event).sum() == 18  # 30 % of 60

    def test_the_table_says_what_the_folds_say(self, survival: Cohort) -> None:
        table = pd.read_csv(survival.truth_dir.parent / "truth.csv", float_precision="round_trip")
        assert list(table) == ["case_id", "slide_ids", "true_risk", "time", "censored"]
        np.testing.assert_array_equal(table["true_risk"], survival.true_risk)
        known = {row.case_id: (row.slide_ids, row.time, row.censored) for row in table.itertuples()}
        fold = read_fold(survival.splits_dir / "fold2.csv", "surv")
        found = {
            case.case_id: (";".join(case.slide_ids), case.time, case.censored)
            for case in (*fold.train, *fold.val, *fold.test)
        }
        assert found == known
        assert min(table["time"]) > 0

    def test_folds_by_case_with_bins_of_their_own_training_cases(self, survival: Cohort) -> None:
        assert find_folds(survival.splits_dir) == [0, 1, 2, 3]
        tested: list[str] = []
        for k in range(4):
            fold = read_fold(survival.splits_dir / f"fold{k}.csv", "surv")
            assert fold.warnings == ()
            events = [case.time for case in fold.train if case.censored == 0]
            edges = [0, *np.quantile(events, [0.25, 0.5, 0.75]), np.inf]
            for case in (*fold.train, *fold.val, *fold.test):
                assert case.bin is not None
                assert case.time is not None
                assert edges[case.bin] <= case.time < edges[case.bin + 1]
            assert sum(case.censored or 0 for case in fold.test) in (4, 5)
            tested += [case.case_id for case in fold.test]
        assert sorted(tested) == [f"SYN-{i:04d}" for i in range(1, 61)]

    def test_slides_lie_on_a_grid_with_their_tissue(self, survival: Cohort) -> None:
        slides = find_slides([survival.features_dir])
        assert list(slides) == sorted(s for case in survival.cases for s in case.slide_ids)
        assert {len(case.slide_ids) for case in survival.cases} == {1, 2, 3}
        for slide_id, path in list(slides.items())[:10]:
            slide = read_slide(path)
            assert slide.coords is not None
            assert slide.attributes == {"patch_size_level0": 448.0, "mpp": 0.5}
            assert 150 <= len(slide.features) <= 400
            assert (slide.coords % 448 == 0).all()
            assert len(torch.unique(slide.coords, dim=0)) == len(slide.coords) == len(tissue_of(survival, slide_id))

    def test_features_are_gaussians_around_one_prototype_per_tissue(self, survival: Cohort) -> None:
        ids = [s for case in survival.cases for s in case.slide_ids]
        features = torch.cat([read_slide(survival.features_dir / f"{s}.h5").features for s in ids]).numpy()
        tissue = np.concatenate([tissue_of(survival, s) for s in ids])
        assert set(tissue) == set(range(6))
        means = np.stack([features[tissue == kind].mean(axis=0) for kind in range(6)])
        assert abs((features - means[tissue]).std() - 1.0) < 0.01
        distances = np.linalg.norm(means[:, None] - means[None], axis=-1)
        assert distances[~np.eye(6, dtype=bool)].min() > 4  # noise is 1 per dimension

    def test_shuffled_outcomes_have_no_signal(self, tmp_path: Path) -> None:
        settings = CohortSettings(n_cases=200, patches_per_slide=(20, 30), dim=2, slides_per_case=(1, 1))
        plain = make_cohort(tmp_path / "plain", settings)
        shuffled = make_cohort(tmp_path / "shuffled", CohortSettings(**{**vars(settings), "shuffle_labels": True}))
        assert plain.c_index is not None
        assert shuffled.c_index is not None
        assert plain.c_index > 0.75
        assert abs(shuffled.c_index - 0.5) < 0.08  # three standard errors at 200 cases
        np.testing.assert_array_equal(plain.true_risk, shuffled.true_risk)
        assert sorted(c.time or 0 for c in plain.cases) == sorted(c.time or 0 for c in shuffled.cases)


class TestClassificationCohorts:
    def test_decisive_patches_are_few_contiguous_and_in_positives_only(self, tmp_path: Path) -> None:
        cohort = make_cohort(tmp_path, CohortSettings(task="cls", **SMALL))
        assert sum(case.label or 0 for case in cohort.cases) == 12
        for case in cohort.cases:
            (slide_id,) = case.slide_ids
            decisive = tissue_of(cohort, slide_id) == 0
            if case.label:
                assert 4 <= decisive.sum() <= 8
                assert n_pieces(cells_of(cohort, slide_id)[decisive]) == 1
            else:
                assert not decisive.any()

    def test_cooccurrence_is_two_types_far_apart_against_one(self, tmp_path: Path) -> None:
        cohort = make_cohort(tmp_path, CohortSettings(task="cls", signal="cooccurrence", **SMALL))
        alone = set()
        for case in cohort.cases:
            tissue, cells = tissue_of(cohort, case.slide_ids[0]), cells_of(cohort, case.slide_ids[0])
            planted = np.isin(tissue, (0, 1))
            assert planted.sum() == 2 * round(0.1 * len(tissue))  # as many in either class
            kinds = set(tissue[planted])
            assert (kinds == {0, 1}) == (case.label == 1)
            if case.label:
                centres = [cells[tissue == kind].mean(axis=0) for kind in (0, 1)]
                assert np.linalg.norm(centres[0] - centres[1]) > 0.4 * np.ptp(cells, axis=0).max()
            else:
                alone |= kinds
        assert alone == {0, 1}

    def test_proportion_with_several_slides_per_patient(self, tmp_path: Path) -> None:
        settings = CohortSettings(task="cls", signal="proportion", slides_per_case=(2, 2), strength=50.0, **SMALL)
        cohort = make_cohort(tmp_path, settings)
        labels = np.array([case.label for case in cohort.cases])
        assert cohort.true_risk[labels == 1].mean() > cohort.true_risk[labels == 0].mean() + 50
        assert labels.sum() == 12
        fold = read_fold(cohort.splits_dir / "fold0.csv", "cls")  # refuses a patient in two parts
        assert len(fold.train) + len(fold.val) + len(fold.test) == 48
        assert Case("SYN-0001", ("SYN-0001-S2",), label=cohort.cases[0].label) in (*fold.train, *fold.val, *fold.test)
        assert cohort.c_index is None


class TestDeterminism:
    @pytest.mark.parametrize("options", [{"file_format": "h5", "dtype": "float16"}, {"file_format": "pt"}])
    def test_equal_settings_give_equal_files(self, tmp_path: Path, options: dict[str, str]) -> None:
        settings = CohortSettings(**SMALL, **options)
        for name in ("a", "b"):
            make_cohort(tmp_path / name, settings)
        assert content(tmp_path / "a") == content(tmp_path / "b")
        make_cohort(tmp_path / "a", settings)  # again in the same place
        assert content(tmp_path / "a") == content(tmp_path / "b")
        dtype = read_slide(next(iter(find_slides([tmp_path / "a" / "features"]).values()))).features.dtype
        assert str(dtype) == f"torch.{options.get('dtype', 'float32')}"

    def test_the_seed_decides(self, tmp_path: Path) -> None:
        first, other = (make_cohort(tmp_path / str(s), CohortSettings(**SMALL, seed=s)) for s in (1, 2))
        assert first.c_index != other.c_index


class TestCommand:
    def test_options_reach_the_settings(self, tmp_path: Path) -> None:
        args = ["--task", "cls", "--n_cases", "12", "--patches_per_slide", "20", "30", "--n_folds", "3", "--noise", "0"]
        assert main(["--output_dir", str(tmp_path / "c"), *args, "--shuffle_labels"]) == 0
        settings = json.loads((tmp_path / "c/truth.json").read_text())["settings"]
        assert settings["patches_per_slide"] == [20, 30]
        assert settings["shuffle_labels"] is True
        assert (settings["signal"], settings["noise"], settings["slides_per_case"]) == ("decisive", 0.0, [1, 1])
        assert find_folds(tmp_path / "c/splits") == [0, 1, 2]

    def test_another_cohort_in_the_same_place_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        make_cohort(tmp_path, CohortSettings(**SMALL))
        before = content(tmp_path)
        assert main(["--output_dir", str(tmp_path), "--n_cases", "30"]) == 2
        assert "made with n_cases 24 where 30 is asked for" in capsys.readouterr().err
        assert content(tmp_path) == before

    def test_features_of_someone_else_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "features").mkdir()
        with pytest.raises(UserError, match="no synthetic cohort"):
            make_cohort(tmp_path, CohortSettings(**SMALL))
        assert content(tmp_path) == {}

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--task", "surv", "--signal", "decisive"], "signal is decisive: expected one of proportion for surv"),
            (["--n_cases", "8"], "the rarer outcome has 2 cases"),
            (["--patches_per_slide", "30", "20"], "patches_per_slide is 30 20"),
            (["--patches_per_slide", "5", "20"], "10 or more"),
            (["--censored_fraction", "1"], "censored_fraction is 1.0"),
            (["--dtype", "bfloat16"], "dtype is bfloat16"),
            (["--n_tissues", "2"], "n_tissues is 2: expected 3 or more"),
            (["--decisive_patches", "10", "200"], "decisive_patches is 200"),
        ],
    )
    def test_impossible_settings_are_one_sentence(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
    ) -> None:
        assert main(["--output_dir", str(tmp_path / "c"), *args]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not (tmp_path / "c").exists()

    @pytest.mark.parametrize("args", [["--task", "both"], ["--n_case", "12"], ["--dtype", "int8"]])
    def test_unknown_options_and_choices_are_refused(self, tmp_path: Path, args: list[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(["--output_dir", str(tmp_path), *args])
        assert caught.value.code == 2


class TestParts:
    def test_section_is_one_piece_of_distinct_cells(self) -> None:
        for seed in range(5):
            cells = section_cells(300, np.random.default_rng(seed))
            assert len(np.unique(cells, axis=0)) == 300
            assert cells.min(axis=0).tolist() == [0, 0]
            assert n_pieces(cells) == 1

    def test_regions_follow_the_composition(self) -> None:
        rng = np.random.default_rng(0)
        cells = section_cells(400, rng)
        drawn = np.concatenate([scatter_regions(cells, np.array([0.7, 0.0, 0.3]), rng) for _ in range(50)])
        np.testing.assert_allclose(np.bincount(drawn, minlength=3) / len(drawn), [0.7, 0.0, 0.3], atol=0.04)
        tissue = scatter_regions(cells, np.ones(3) / 3, rng)
        assert n_pieces(cells[tissue == 0]) <= 24  # regions, not single patches: a third of 400 patches is 133

    def test_two_regions_are_disjoint_and_contiguous(self) -> None:
        rng = np.random.default_rng(0)
        cells = section_cells(100, rng)
        first, second = plant_two_regions(cells, 12, rng)
        assert len({*first, *second}) == 24
        assert n_pieces(cells[first]) == n_pieces(cells[second]) == 1

    def test_survival_times_follow_the_hazard(self) -> None:
        rng = np.random.default_rng(0)
        time, censored = draw_survival(np.repeat([0.0, np.log(3)], 20_000), 0.0, rng)
        assert censored.sum() == 0
        assert abs(np.median(time[:20_000]) - 30) < 1  # MEDIAN_MONTHS
        assert abs(np.median(time[20_000:]) - 10) < 0.4  # three times the hazard

    @pytest.mark.parametrize("fraction", [0.0, 0.25, 0.9])
    def test_the_censored_fraction_is_met(self, fraction: float) -> None:
        _, censored = draw_survival(np.zeros(40), fraction, np.random.default_rng(1))
        assert censored.sum() == 40 * fraction


def test_another_site_has_the_same_tissue_in_other_patients(tmp_path):
    same = {"task": "cls", "n_cases": 12, "n_folds": 2, "dim": 6, "noise": 0.0, "patches_per_slide": (60, 80)}
    here = make_cohort(tmp_path / "here", CohortSettings(**same))
    there = make_cohort(tmp_path / "there", CohortSettings(**same, site=3))
    moved = make_cohort(tmp_path / "moved", CohortSettings(**same, site=3, shift=2.0))

    def patches(cohort: Cohort) -> np.ndarray:
        slides = [read_slide(path).features.numpy() for path in find_slides([cohort.features_dir]).values()]
        return np.unique(np.concatenate(slides).round(4), axis=0)

    np.testing.assert_allclose(patches(there), patches(here), atol=1e-3)  # without noise a patch is its prototype
    assert {case.case_id for case in there.cases}.isdisjoint({case.case_id for case in here.cases})
    assert [case.label for case in there.cases] != [case.label for case in here.cases]
    first, second = (read_slide(cohort.features_dir / "SYN3-0001-S1.h5").features for cohort in (there, moved))
    shift = second - first
    np.testing.assert_allclose(shift.norm(dim=1), 2.0, rtol=1e-4)
    np.testing.assert_allclose(shift, shift[:1].expand_as(shift), atol=1e-5)  # the same for all patches


def test_the_label_table_is_that_of_the_cases(tmp_path):
    cohort = make_cohort(tmp_path, CohortSettings(task="surv", n_cases=12, n_folds=2, n_bins=2))
    table = pd.read_csv(tmp_path / "labels.csv").set_index("slide_id")
    for case in cohort.cases:
        for slide_id in case.slide_ids:
            row = table.loc[slide_id]
            assert (row["case_id"], row["survival_months"], row["censorship"]) == (
                case.case_id,
                case.time,
                case.censored,
            )
