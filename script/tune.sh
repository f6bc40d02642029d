#!/usr/bin/env bash
# Choose options without looking at the test cases: every combination of the grid below is trained on each fold, and
# compared by the validation cases. Edit the arguments, or set them from outside:
#   TASK=surv DATASET=LUAD FEATURES_DIR=/data/luad SPLITS_DIR=splits/luad bash script/tune.sh
# Run again, it goes on where it stopped. At the end it names the best run and the command that tests this run alone.
# Further arguments go to main.py, for all runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# One option of main.py a line: its name, then the values to try. Lines that start with # are left out. Options that a
# model does not take are left out of its runs. Anchors are fitted once for each number of them, if a model takes any.
GRID="${GRID:-
lr          1e-4 2e-4 5e-4
n_clusters  32 64
#dropout    0.05 0.25
#embed_dim  256 512
#model      mico abmil transmil
}"
TASK="${TASK:-cls}"                                             # cls, or surv
DATASET="${DATASET:-BRCA}"                                      # name of the data set
FEATURES_DIR="${FEATURES_DIR:-features/$DATASET}"               # a directory of feature files, or several, separated by blanks
SPLITS_DIR="${SPLITS_DIR:-splits/4foldcv/tcga_${DATASET,,}$([ "${DATASET,,}-$TASK" != brca-cls ] || echo _cls)}"  # fold0.csv ...
ANCHORS_DIR="${ANCHORS_DIR:-anchors/$TASK}"                     # where run_clustering.py writes
RESULTS_DIR="${RESULTS_DIR:-results}"
BY="${BY:-}"                                                    # the metric that names the best run: auc, acc, f1, loss; c_index ...
FOLDS="${FOLDS:-all}"                                           # all fold*.csv of SPLITS_DIR, or their numbers: "0 1"
FEATURE_NORM="${FEATURE_NORM:-none}"                            # none, l2 or zscore
ON_MISSING="${ON_MISSING:-error}"                               # slides without features: error, or drop and count
UNIT="${UNIT:-slide}"                                           # what is classified: slide, or patient: all slides of one together
# What the grid does not vary.
MODEL="${MODEL:-mico}"
FORMULATION="${FORMULATION:-released}"                          # released, or paper
N_CLUSTERS="${N_CLUSTERS:-64}"
EPOCHS="${EPOCHS:-200}"
PATIENCE="${PATIENCE:-8}"
MONITOR="${MONITOR:-auto}"                                      # validation score that selects the epoch
LR="${LR:-2e-4}"
BATCH_SIZE="${BATCH_SIZE:-1}"
GRAD_ACCUM="${GRAD_ACCUM:-2}"
SEED="${SEED:-2024}"
JOBS="${JOBS:-}"                                                # folds at the same time on the CPU, 1 by default; with slurm jobs at the same time, 64
GPU="${GPU:-auto}"                                              # number of the GPU, cpu, or auto: the first if any
GPUS="${GPUS:-}"                                                # several of them: all, or their numbers, such as "0 2"
JOBS_PER_GPU="${JOBS_PER_GPU:-}"                                # folds at the same time on each GPU; 1 by default
LAUNCHER="${LAUNCHER:-}"                                        # local: this machine, the default; slurm: jobs of Slurm; ray: tasks of Ray
SLURM_OPTIONS="${SLURM_OPTIONS:-}"                              # with slurm: options of sbatch, "time=8:00:00 partition=gpu gpus_per_node=1", or a JSON file
DRY_RUN="${DRY_RUN:-no}"                                        # with slurm: yes writes the files for sbatch, and submits nothing
RAY_ADDRESS="${RAY_ADDRESS:-}"                                  # a running cluster of Ray: auto, or HOST:PORT; a Ray of this machine by default
RAY_CPUS="${RAY_CPUS:-}"                                        # CPUs of a fold there, the threads that it computes in
NUM_WORKERS="${NUM_WORKERS:-4}"                                 # threads that read features, for each run
THREADS="${THREADS:-auto}"                                      # threads of the CPU that a model computes in; auto: by the size of the bags

bash script/setup.sh
. script/launching.sh
if [ -d "$FEATURES_DIR" ]; then features=("$FEATURES_DIR"); else read -r -a features <<< "$FEATURES_DIR"; fi
chosen=()
if [ "$FOLDS" != all ]; then read -r -a folds <<< "$FOLDS"; chosen=(--folds "${folds[@]}"); fi
exec .venv/bin/python -m script.tuning --grid "$GRID" --task "$TASK" --dataset "$DATASET" \
    --features_dir "${features[@]}" --splits_dir "$SPLITS_DIR" --anchors_dir "$ANCHORS_DIR" \
    --results_dir "$RESULTS_DIR" --feature_norm "$FEATURE_NORM" --on_missing "$ON_MISSING" "${launching[@]}" \
    ${BY:+--by "$BY"} ${chosen[@]+"${chosen[@]}"} ${fitting[@]+"${fitting[@]}"} \
    --fixed model="$MODEL" formulation="$FORMULATION" unit="$UNIT" n_clusters="$N_CLUSTERS" epochs="$EPOCHS" patience="$PATIENCE" \
    monitor="$MONITOR" lr="$LR" batch_size="$BATCH_SIZE" grad_accum="$GRAD_ACCUM" seed="$SEED" \
    -- --device "$device" --num_workers "$NUM_WORKERS" --threads "$THREADS" "$@"
