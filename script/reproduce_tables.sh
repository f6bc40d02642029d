#!/usr/bin/env bash
# The paper's tables: for each cohort below, anchors of each fold, then every model, ablation, number of anchors and
# seed; then results/tables. Run again, it goes on where it stopped; a run whose settings changed is made again.
#   bash script/reproduce_tables.sh [--seeds 2024 2025 2026] [--demo] [-- options of main.py for all runs]
# --demo: small stand-in cohorts of both tasks, all models, all tables, on a CPU. docs/reproduction.md says more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# One cohort a line: name, task, directory of features, directory of fold{k}.csv, scale of features (none, l2, zscore),
# neighbours of a patch in graph models (coords, features); then options of main.py for this cohort alone.
# No blanks within a value. Lines that start with # are left out.
COHORTS="${COHORTS:-
BLCA    surv  features/BLCA    splits/4foldcv/tcga_blca      none  coords
BRCA    surv  features/BRCA    splits/4foldcv/tcga_brca      none  coords
GBMLGG  surv  features/GBMLGG  splits/4foldcv/tcga_gbmlgg    none  coords
HNSC    surv  features/HNSC    splits/4foldcv/tcga_hnsc      none  coords
KIRC    surv  features/KIRC    splits/4foldcv/tcga_kirc      none  coords
KIRP    surv  features/KIRP    splits/4foldcv/tcga_kirp      none  coords
LUAD    surv  features/LUAD    splits/4foldcv/tcga_luad      none  coords
BRCA    cls   features/BRCA    splits/4foldcv/tcga_brca_cls  none  coords
NSCLC   cls   features/NSCLC   splits/4foldcv/tcga_nsclc     none  coords
}"
MODELS="${MODELS-meanpool maxpool abmil clam_sb dsmil transmil dtfdmil patchgcn deepgraphconv}"  # beside MiCo
ABLATIONS="${ABLATIONS-anchors route reducer}"
N_CLUSTERS="${N_CLUSTERS:-64}"               # anchors of MiCo in the tables
SWEEP="${SWEEP-32 64 128}"                   # numbers of anchors in the sweep
SEEDS="${SEEDS:-}"                           # of the runs: 2024 2025 2026; with one seed models are not tested
JOBS="${JOBS:-}"                             # folds at the same time on the CPU, 1 by default; with slurm jobs at the same time, 64
GPU="${GPU:-auto}"                           # number of the GPU, cpu, or auto: the first if any
GPUS="${GPUS:-}"                             # several of them: all, or their numbers, such as "0 2"
JOBS_PER_GPU="${JOBS_PER_GPU:-}"             # folds at the same time on each GPU; 1 by default
LAUNCHER="${LAUNCHER:-}"                     # local: this machine, the default; slurm: jobs of Slurm; ray: tasks of Ray
SLURM_OPTIONS="${SLURM_OPTIONS:-}"           # with slurm: options of sbatch, "time=8:00:00 partition=gpu gpus_per_node=1", or a JSON file
DRY_RUN="${DRY_RUN:-no}"                     # with slurm: yes writes the files for sbatch, and submits nothing
RAY_ADDRESS="${RAY_ADDRESS:-}"               # a running cluster of Ray: auto, or HOST:PORT; a Ray of this machine by default
RAY_CPUS="${RAY_CPUS:-}"                     # CPUs of a fold there, the threads that it computes in
NUM_WORKERS="${NUM_WORKERS:-4}"              # threads that read features, for each run
THREADS="${THREADS:-auto}"                   # threads of the CPU that a model computes in; auto: by the size of the bags
ON_MISSING="${ON_MISSING:-error}"            # slides without features: error, or drop and count
ON_CHANGE="${ON_CHANGE:-restart}"            # results of other settings: restart makes them again, error keeps them
RESULTS_DIR="${RESULTS_DIR:-results}"
ANCHORS_DIR="${ANCHORS_DIR:-anchors}"
NOTES="${NOTES:-}"                           # a text file whose lines are added to the notes of the tables

demo=no more=()
while [ $# -gt 0 ]; do
    case "$1" in
        --demo) demo=yes; shift ;;
        --seeds)
            shift; SEEDS=""
            while [[ "${1:-}" =~ ^[0-9]+$ ]]; do SEEDS="$SEEDS $1"; shift; done
            [ -n "$SEEDS" ] || { echo "reproduce_tables.sh: error: --seeds needs numbers, such as --seeds 2024 2025" >&2; exit 2; } ;;
        --) shift; more=("$@"); break ;;
        *) echo "reproduce_tables.sh: error: unknown option $1, expected --seeds, --demo, or -- and options of main.py" >&2; exit 2 ;;
    esac
done
bash script/setup.sh
if [ "$demo" = yes ]; then . script/demo_cohorts.sh; fi
SEEDS="${SEEDS:-2024 2025 2026}"

. script/launching.sh
# The lists are split at their blanks.
exec .venv/bin/python -m script.reproduction --cohorts "$COHORTS" --models $MODELS --ablations $ABLATIONS \
    --n_clusters "$N_CLUSTERS" --sweep $SWEEP --seeds $SEEDS --results_dir "$RESULTS_DIR" --anchors_dir "$ANCHORS_DIR" \
    "${launching[@]}" --on_missing "$ON_MISSING" --on_change "$ON_CHANGE" ${NOTES:+--notes "$NOTES"} ${fitting[@]+"${fitting[@]}"} \
    -- --device "$device" --num_workers "$NUM_WORKERS" --threads "$THREADS" ${more[@]+"${more[@]}"}
