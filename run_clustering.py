"""Command: feature files -> semantic anchors, of a data set and of each slide.

`python run_clustering.py --dataset_name BLCA --input_dir DIR --output_dir OUT --fold_csv fold0.csv fold1.csv`

The parts are in `utils/pipeline`: `anchor_sample`, `fit_anchors` and `slide_anchors`. `run` imports them after the
options have been checked, so that `--help` and mistakes in the options are answered at once.
"""

from __future__ import annotations

if __name__ == "__main__":  # before anything that takes time to import
    from utils.machine.start import begin

    begin("run_clustering.py")

import argparse
import sys
from contextlib import ExitStack

from utils.command.arguments import build_parser, resolve
from utils.command.clustering_settings import ClusteringSettings
from utils.command.console import log_to_terminal
from utils.launch.launchers import LAUNCHERS
from utils.machine.process import exit_code


def get_args_parser() -> argparse.ArgumentParser:
    """The parser of this command."""
    description = "Fit semantic anchors by k-means over patch features."
    return build_parser(ClusteringSettings, "run_clustering.py", description, choices={"launcher": tuple(LAUNCHERS)})


def settings_of(args: argparse.Namespace) -> ClusteringSettings:
    """The settings that parsed arguments stand for; UserError for impossible values."""
    return resolve(ClusteringSettings, args)


def main(args: argparse.Namespace) -> int:
    """Run the command and return its exit code, see `utils.machine.process.exit_code`."""
    log_to_terminal()
    goes_on = "the same command goes on with the slides that are left"
    return exit_code(lambda: run(settings_of(args)), "run_clustering.py", goes_on=goes_on)


def run(settings: ClusteringSettings) -> None:
    """Fit and write the anchors that the settings ask for, fold by fold; a launcher divides the slides into parts.

    Raises:
        UserError: for what is wrong with options, files or anchors that are there, and where a launched part failed.
    """
    if settings.launches:
        from utils.launch.slide_parts import launch_slide_parts

        launch_slide_parts(settings, begin_run)
    else:
        run_part(settings)


def begin_run(settings: ClusteringSettings) -> None:
    """Do everything but fit the own anchors of slides, which are made ready for that in parts."""
    run_part(settings, fits_slides=False)


def run_part(settings: ClusteringSettings, *, fits_slides: bool = True) -> None:
    """Fit and write the anchors that the settings ask for; the slides only with `fits_slides`.

    Without that, a second process that does the same is waited for.
    """
    from utils.pipeline.places import check_clustering_places, check_patients_of_folds

    check_clustering_places(settings.input_dir, settings.fold_csv)
    check_patients_of_folds(settings.fold_csv or (), allow_overlap=settings.allow_patient_overlap)

    # Slow to import: only after the checks above.
    from utils.anchors.kmeans import check_gpu
    from utils.files.locks import locked, locked_in_turn
    from utils.pipeline.anchor_sample import Fitting, Sampling, choose_sample, find_features, slides_to_fit
    from utils.pipeline.clustering import Clustering, Target, anchor_places
    from utils.pipeline.fit_anchors import fit_dataset_anchors
    from utils.pipeline.slide_anchors import begin_slide_anchors, check_no_parts, fit_slide_anchors

    sampling, clustering, target = Sampling.of(settings), Clustering.of(settings), Target.of(settings)
    if settings.gpu:
        check_gpu()
    slides, width = find_features(settings.input_dir, settings.workers, settings.verify)
    fittings = [slides_to_fit(slides, fold_csv, sampling) for fold_csv in settings.fold_csv or (None,)]
    # The slide anchors are those of every fold, unless the fold's training slides set the scale of the features.
    by_fold = settings.feature_norm == "zscore"
    index = next(iter(slides.values())).index
    places = anchor_places(fittings, settings.scope, clustering, target, by_fold=by_fold)
    with ExitStack() as held:
        for take in [locked(*places)] if fits_slides else map(locked_in_turn, places):
            held.enter_context(take)
        held.callback(index.save)
        for number, fitting in enumerate(fittings):
            sample = choose_sample(fitting, width, settings.feature_norm, sampling)
            if settings.scope in ("both", "dataset"):
                fit_dataset_anchors(sample, sampling, clustering, target)
            if settings.scope in ("both", "slide") and (by_fold or number == 0):
                scaled_by = fitting if by_fold else Fitting(None, {})
                directory = begin_slide_anchors(slides, scaled_by, sample.norm, clustering, target)
                if fits_slides:
                    check_no_parts(directory)
                    paths = {slide_id: slide.path for slide_id, slide in slides.items()}
                    how = (sample.norm, clustering, settings.workers)
                    fit_slide_anchors(paths, index, directory, *how, place=directory)


if __name__ == "__main__":
    sys.exit(main(get_args_parser().parse_args()))
