"""Mistakes in the options of the commands."""

from __future__ import annotations

from tests.input_errors.case import cases_of
from tests.input_errors.cohort import CLUSTERING, MAIN, MAKE_SPLITS, PREDICT, SURV, TRAINED

KIND = "Options"
case = cases_of(KIND)


def _with(wrong: str, command: str) -> None:
    """A case that needs no more than its options."""

    def make() -> str:
        return command

    words = command.split("--")[-1]
    make.__name__ = "option_" + "_".join("".join(c if c.isalnum() else " " for c in f"{words} {wrong}").split()).lower()
    case(wrong)(make)


_with("A required option is missing", MAIN.replace("--task cls ", ""))
_with("An option that does not exist", f"{MAIN} --learning_rate 0.1")
_with("A choice that does not exist", f"{MAIN} --formulation draft")
_with("A model that does not exist", f"{MAIN} --model micro")
_with("A text where a number is expected", f"{MAIN} --lr small")
_with("No epoch", f"{MAIN} --epochs 0")
_with("A negative seed", f"{MAIN} --seed -1")
_with("A learning rate that is no number", f"{MAIN} --lr nan")
_with("A weight decay without end", f"{MAIN} --weight_decay inf")
_with("A dropout of 1", f"{MAIN} --dropout 1")
_with("A number of anchors that the stages cannot halve", f"{MAIN} --n_clusters 20")
_with("Options that exclude each other", f"{MAIN} --formulation paper --similarity dot")
_with("An option of another model", f"{MAIN} --model abmil --n_stages 2")
_with("An embedding that the heads cannot divide", f"{MAIN} --model transmil --embed_dim 20")
_with("A width of 0", f"{MAIN} --embed_dim 0")
_with("A fold twice", f"{MAIN} --folds 0 0")
_with("A name of a run that is a path", f"{MAIN} --run_name ../other")
_with("A data set without a name", MAIN.replace("--dataset toy", "--dataset ''"))
_with("`--resume` and `--overwrite`", f"{MAIN} --resume --overwrite")
_with("A device that does not exist", f"{MAIN} --device tpu")
_with("One time bin", f"{SURV} --n_bins 1")
_with("An extra weight beyond 1", f"{SURV} --alpha_surv 2")
_with("A score of the other task", f"{MAIN} --monitor val_c_index")
_with("`--unit patient` in survival", f"{SURV} --unit patient")
_with("A limit of the cache without a cache", f"{MAIN} --cache_gb 4")
_with("An option of explanations in training", f"{MAIN} --explain_cases 3")
_with("A size of patches that is not possible", f"{TRAINED} --stage explain --patch_size 0")
_with("A scale that is not possible", f"{TRAINED} --stage explain --mpp 0")
_with("Slide images that are not there", f"{TRAINED} --stage explain --slides_dir slides")
_with("No anchor", CLUSTERING.replace("n_clusters 8", "n_clusters 0"))
_with("No thread", f"{CLUSTERING} --workers 0")
_with("A name of a data set with a slash", CLUSTERING.replace("dataset_name toy", "dataset_name a/b"))
_with("Time bins in classification", f"{MAKE_SPLITS} --task cls --n_bins 4")
_with("Options of a label table without the table", f"{PREDICT} --label_column subtype")
_with("A name of a cohort with a slash", PREDICT.replace("--cohort b", "--cohort a/b"))
_with("A synthetic cohort of no case", "python -m datasets.synthetic --output_dir out --n_cases 0")
_with("A synthetic cohort where features are", "python -m datasets.synthetic --output_dir .")
