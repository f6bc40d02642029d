#!/usr/bin/env bash
# The whole job on real histopathology (UCSB breast cancer, classification) and on a synthetic survival cohort.
# Two to eight minutes on two CPU cores. Run again, it goes on where it stopped. DEMO_DIR says where everything
# goes; the report at the end opens in a browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export DEMO_DIR="${DEMO_DIR:-demo}" GPU="${GPU:-cpu}" NUM_WORKERS=0 EXPLAIN=3
export ANCHORS_DIR="$DEMO_DIR/anchors" RESULTS_DIR="$DEMO_DIR/results"
bash script/setup.sh

# 58 images, 2002 patches, 708 hand-made features on scales of their own: zscore, and batches of 8 with a
# learning rate to match. Early stopping ends every fold of both cohorts before its last epoch.
. script/passing_signals.sh
.venv/bin/python -m datasets.ucsb_breast --output_dir "$DEMO_DIR/ucsb_breast"
DATASET=ucsb_breast FEATURES_DIR="$DEMO_DIR/ucsb_breast/features" SPLITS_DIR=splits/ucsb_breast \
    FEATURE_NORM=zscore BATCH_SIZE=8 GRAD_ACCUM=1 LR=1e-3 EPOCHS="${EPOCHS:-60}" \
    passing_signals bash script/run_cls.sh --resume

# 60 synthetic cases of 1 to 3 slides, with coordinates; survival depends on the share of aggressive tissue.
.venv/bin/python -m datasets.synthetic --output_dir "$DEMO_DIR/synthetic" --task surv --n_cases 60
DATASET=synthetic FEATURES_DIR="$DEMO_DIR/synthetic/features" SPLITS_DIR="$DEMO_DIR/synthetic/splits" \
    LR=1e-3 EPOCHS="${EPOCHS:-60}" passing_signals bash script/run_surv.sh --embed_dim 128 --resume

.venv/bin/python -m utils.report "$RESULTS_DIR/surv/synthetic/mico_released" \
    --clinical "$DEMO_DIR/synthetic/clinical.csv" --covariates age stage --subgroups sex >/dev/null
.venv/bin/python -m utils.report "$RESULTS_DIR" >/dev/null

first_table() { awk '/^\|/ { print; table = 1; next } table { exit }' "$1"; } # the others need their notes
cat <<EOF

================ UCSB breast cancer (real; 58 images are too few to rank models) ================
$(first_table "$RESULTS_DIR/cls/ucsb_breast/mico_released/summary.md")

================ Synthetic survival cohort ================
$(first_table "$RESULTS_DIR/surv/synthetic/mico_released/summary.md")
$(sed -n 's/.*"c_index_true_risk": \([0-9.]*\).*/C-index of the true risk, over all cases: \1/p' "$DEMO_DIR/synthetic/truth.json")

Tables, figures and predictions of each fold:
  $RESULTS_DIR/cls/ucsb_breast/mico_released
  $RESULTS_DIR/surv/synthetic/mico_released
Reports, to be opened in a browser:
  $RESULTS_DIR/cls/ucsb_breast/mico_released/report.html
  $RESULTS_DIR/surv/synthetic/mico_released/report.html
  $RESULTS_DIR/report.html
EOF
