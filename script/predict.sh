#!/usr/bin/env bash
# Apply a trained run to another cohort: predictions by each fold and their ensemble, and with labels its validation.
# Edit the arguments, or set them from outside:
#   RUN_DIR=results/cls/NSCLC/mico_released FEATURES_DIR=/data/hospital_b COHORT=hospital_b bash script/predict.sh
# Further arguments go to the prediction, and EXPLAIN_OPTIONS to the explanations.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

RUN_DIR="${RUN_DIR:-results/cls/BRCA/mico_released}"   # the run, or a folder that python -m utils.pipeline.export wrote
FEATURES_DIR="${FEATURES_DIR:-features/other}"         # a directory of feature files, or several, separated by blanks
COHORT="${COHORT:-other}"                              # name of the cohort: RUN_DIR/predict/COHORT is written
LABELS="${LABELS:-}"                                   # its label table; without one the cohort is predicted only
LABEL_OPTIONS="${LABEL_OPTIONS:-}"                     # how it is read: --label_column subtype --classes ductal 'mucinous; other'
ON_MISSING="${ON_MISSING:-error}"                      # labelled slides without features: error, or drop and count
ANCHORS="${ANCHORS:-}"                                 # for a run with slide anchors: the directory of those of the cohort
FOLDS="${FOLDS:-all}"                                  # all folds of the run, or their numbers: "0 1"
GPU="${GPU:-auto}"                                     # number of the GPU, cpu, or auto: the first if any
NUM_WORKERS="${NUM_WORKERS:-4}"                        # threads that read features
THREADS="${THREADS:-auto}"                             # threads of the CPU that a model computes in; auto: by the size of the bags
EXPLAIN="${EXPLAIN:-0}"                                # k: explain the k most and k least certain cases of each fold
SLIDES_DIR="${SLIDES_DIR:-}"                           # slide images, to lay these explanations over
EXPLAIN_OPTIONS="${EXPLAIN_OPTIONS:-}"                 # more options for them, such as --mpp 0.25 --geojson regions

case "$EXPLAIN" in ''|*[!0-9]*) echo "error: got EXPLAIN=$EXPLAIN, expected a number of cases, 0 for none" >&2; exit 2 ;; esac
if [ -n "$SLIDES_DIR" ] && [ ! -d "$SLIDES_DIR" ]; then
    echo "error: got SLIDES_DIR=$SLIDES_DIR, expected a directory of slide images" >&2; exit 2
fi
bash script/setup.sh
mapfile -d '' -t labelled < <(.venv/bin/python -m script.option_words LABEL_OPTIONS "$LABEL_OPTIONS"); wait "$!"
mapfile -d '' -t more < <(.venv/bin/python -m script.option_words EXPLAIN_OPTIONS "$EXPLAIN_OPTIONS"); wait "$!"
if [ -n "$LABELS" ]; then labelled+=(--labels "$LABELS" --on_missing "$ON_MISSING"); fi

device=auto
if [ "$GPU" = cpu ]; then device=cpu; fi
if [ "$GPU" != auto ] && [ "$GPU" != cpu ]; then export CUDA_VISIBLE_DEVICES="$GPU"; fi
if [ -d "$FEATURES_DIR" ]; then features=("$FEATURES_DIR"); else read -r -a features <<< "$FEATURES_DIR"; fi
chosen=()
if [ "$FOLDS" != all ]; then read -r -a folds <<< "$FOLDS"; chosen=(--folds "${folds[@]}"); fi
common=(--run_dir "$RUN_DIR" --features_dir "${features[@]}" --cohort "$COHORT" ${chosen[@]+"${chosen[@]}"}
    ${ANCHORS:+--anchors "$ANCHORS"} --device "$device" --num_workers "$NUM_WORKERS" --threads "$THREADS")
explained=(--stage explain "${common[@]}" --explain_cases "$EXPLAIN" ${SLIDES_DIR:+--slides_dir "$SLIDES_DIR"}
    ${more[@]+"${more[@]}"})
if [ "$EXPLAIN" != 0 ]; then .venv/bin/python -m script.check_run "${explained[@]}"; fi
. script/passing_signals.sh
passing_signals .venv/bin/python main.py --stage predict "${common[@]}" ${labelled[@]+"${labelled[@]}"} "$@"
if [ "$EXPLAIN" != 0 ]; then passing_signals .venv/bin/python main.py "${explained[@]}"; fi
