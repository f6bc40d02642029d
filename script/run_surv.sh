#!/usr/bin/env bash
# Survival: anchors and MiCo for each fold of one data set. Edit the arguments, or set them from outside:
#   DATASET=LUAD FEATURES_DIR=/data/luad bash script/run_surv.sh --resume
# Further arguments go to main.py. The values below are those of the released configurations.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

TASK=surv
DATASET="${DATASET:-BLCA}"                                      # name of the data set
FEATURES_DIR="${FEATURES_DIR:-features/$DATASET}"               # a directory of feature files, or several, separated by blanks
SPLITS_DIR="${SPLITS_DIR:-splits/4foldcv/tcga_${DATASET,,}}"    # fold0.csv, fold1.csv ...
ANCHORS_DIR="${ANCHORS_DIR:-anchors/$TASK}"                     # where run_clustering.py writes
REFIT_ANCHORS="${REFIT_ANCHORS:-no}"                            # yes: fit anchors again that are there
ANCHOR_SCOPE="${ANCHOR_SCOPE:-dataset}"                         # dataset, or slide
N_CLUSTERS="${N_CLUSTERS:-64}"                                  # anchors
FEATURE_NORM="${FEATURE_NORM:-none}"                            # none, l2 or zscore
ON_MISSING="${ON_MISSING:-error}"                               # slides without features: error, or drop and count
FOLDS="${FOLDS:-all}"                                           # all fold*.csv of SPLITS_DIR, or their numbers: "0 1"
FORMULATION="${FORMULATION:-released}"                          # released, or paper
EPOCHS="${EPOCHS:-200}"
PATIENCE="${PATIENCE:-8}"
MONITOR="${MONITOR:-auto}"                                      # validation score that selects the epoch: auto (as released), val_c_index
LR="${LR:-2e-4}"
BATCH_SIZE="${BATCH_SIZE:-1}"
GRAD_ACCUM="${GRAD_ACCUM:-2}"
SEED="${SEED:-2024}"
GPU="${GPU:-auto}"                                              # number of the GPU, cpu, or auto: the first if any
GPUS="${GPUS:-}"                                                # several of them: all, or their numbers, such as "0 2"
JOBS_PER_GPU="${JOBS_PER_GPU:-}"                                # folds at the same time on each GPU; 1 by default
JOBS="${JOBS:-}"                                                # folds at the same time on the CPU, 1 by default; with slurm jobs at the same time, 64
LAUNCHER="${LAUNCHER:-}"                                        # local: this machine, the default; slurm: jobs of Slurm; ray: tasks of Ray
SLURM_OPTIONS="${SLURM_OPTIONS:-}"                              # with slurm: options of sbatch, "time=8:00:00 partition=gpu gpus_per_node=1", or a JSON file
DRY_RUN="${DRY_RUN:-no}"                                        # with slurm: yes writes the files for sbatch, and submits nothing
RAY_ADDRESS="${RAY_ADDRESS:-}"                                  # a running cluster of Ray: auto, or HOST:PORT; a Ray of this machine by default
RAY_CPUS="${RAY_CPUS:-}"                                        # CPUs of a fold there, the threads that it computes in
NUM_WORKERS="${NUM_WORKERS:-4}"                                 # threads that read features
THREADS="${THREADS:-auto}"                                      # threads of the CPU that a model computes in; auto: by the size of the bags
EXPLAIN="${EXPLAIN:-0}"                                         # k: explain the k most and k least certain test cases of each fold
SLIDES_DIR="${SLIDES_DIR:-}"                                    # slide images, to lay these explanations over
EXPLAIN_OPTIONS="${EXPLAIN_OPTIONS:-}"                          # more options for them, such as --mpp 0.25 --geojson regions
RESULTS_DIR="${RESULTS_DIR:-results}"

. script/run_folds.sh
