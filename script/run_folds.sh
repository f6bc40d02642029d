# Sourced by run_cls.sh and run_surv.sh with their arguments as variables: anchors of each fold, main.py, explanations.
case "$EXPLAIN" in ''|*[!0-9]*) echo "error: got EXPLAIN=$EXPLAIN, expected a number of cases, 0 for none" >&2; exit 2 ;; esac
case "$TASK-${UNIT:-}" in
    cls-slide|cls-patient) unit=(--unit "$UNIT") ;;
    cls-*) echo "error: got UNIT=$UNIT, expected slide or patient" >&2; exit 2 ;;
    *) unit=() ;; # survival is by patient
esac
case "$REFIT_ANCHORS" in
    yes) refitting=(--overwrite) ;;
    no) refitting=() ;;
    *) echo "error: got REFIT_ANCHORS=$REFIT_ANCHORS, expected yes or no" >&2; exit 2 ;;
esac
stem="$ANCHORS_DIR/${DATASET}_C_${N_CLUSTERS}"
case "$ANCHOR_SCOPE-$FEATURE_NORM" in
    dataset-*) anchors="${stem}_init_fold{fold}.pt" ;;
    slide-zscore) anchors="${stem}_slides_fold{fold}" ;;
    slide-*) anchors="${stem}_slides" ;;
    *) echo "error: got ANCHOR_SCOPE=$ANCHOR_SCOPE, expected dataset or slide" >&2; exit 2 ;;
esac
if [ -n "$SLIDES_DIR" ] && [ ! -d "$SLIDES_DIR" ]; then
    echo "error: got SLIDES_DIR=$SLIDES_DIR, expected a directory of slide images" >&2; exit 2
fi
bash script/setup.sh
mapfile -d '' -t more < <(.venv/bin/python -m script.option_words EXPLAIN_OPTIONS "$EXPLAIN_OPTIONS"); wait "$!"

. script/launching.sh
if [ "$LAUNCHER" = slurm ]; then # anchors, folds and explanations are jobs
    submitting=("${launching[@]}") launching=()
elif [ "${#launching[@]}" = 2 ] && [ -z "$GPUS" ]; then # one fold after the other, by main.py itself
    if [ "$device" = cuda ]; then export CUDA_VISIBLE_DEVICES="$GPU"; fi
    launching=()
fi
if [ "$LAUNCHER" = ray ] && ! command -v nvidia-smi >/dev/null; then fitting=(); fi # the GPUs are those of other machines
fitting+=(${refitting[@]+"${refitting[@]}"})
before=
for argument in "$@"; do # both commands check the patients of the folds, and the features
    case "$argument" in --allow_patient_overlap | --verify | --verify=*) fitting+=("$argument") ;; esac
    if [ "$before" = --verify ]; then fitting+=("$argument"); fi
    before="$argument"
done
if [ -d "$FEATURES_DIR" ]; then features=("$FEATURES_DIR"); else read -r -a features <<< "$FEATURES_DIR"; fi
if [ "$FOLDS" = all ]; then # main.py takes all by itself
    fold_csvs=() chosen=()
    for path in "$SPLITS_DIR"/fold*.csv; do
        if [[ "$path" =~ /fold[0-9]+\.csv$ && -e "$path" ]]; then fold_csvs+=("$path"); fi
    done
    if [ "${#fold_csvs[@]}" = 0 ]; then
        echo "error: no fold*.csv in SPLITS_DIR=$SPLITS_DIR, expected fold0.csv, fold1.csv and so on: make them with" \
            "python -m datasets.make_splits" >&2; exit 2
    fi
else
    read -r -a folds <<< "$FOLDS"
    fold_csvs=() chosen=(--folds "${folds[@]}")
    for fold in "${folds[@]}"; do fold_csvs+=("$SPLITS_DIR/fold$fold.csv"); done
fi

arguments=(--task "$TASK" --dataset "$DATASET" --features_dir "${features[@]}"
    --splits_dir "$SPLITS_DIR" --anchors "$anchors" --n_clusters "$N_CLUSTERS" ${chosen[@]+"${chosen[@]}"}
    ${unit[@]+"${unit[@]}"}
    --formulation "$FORMULATION" --epochs "$EPOCHS" --patience "$PATIENCE" --monitor "$MONITOR" --lr "$LR"
    --batch_size "$BATCH_SIZE" --grad_accum "$GRAD_ACCUM" --seed "$SEED" --device "$device"
    --num_workers "$NUM_WORKERS" --threads "$THREADS" --on_missing "$ON_MISSING" --results_dir "$RESULTS_DIR"
    ${launching[@]+"${launching[@]}"} "$@")
explained=("${arguments[@]}" --stage explain --explain_cases "$EXPLAIN" ${SLIDES_DIR:+--slides_dir "$SLIDES_DIR"}
    ${more[@]+"${more[@]}"})

# What main.py refuses is said before anchors are fitted, and not after minutes or hours.
.venv/bin/python -m script.check_run "${arguments[@]}"
if [ "$EXPLAIN" != 0 ]; then .venv/bin/python -m script.check_run "${explained[@]}"; fi
. script/passing_signals.sh
# Slide anchors are fitted where folds are trained, those of the data set on the first of the GPUs.
first=()
if [ "$ANCHOR_SCOPE" = slide ] && [ "${#launching[@]}" != 0 ]; then
    fitting+=("${launching[@]}")
elif [ "$device" = cuda ] && [ "$GPU" != all ] && [ -z "${CUDA_VISIBLE_DEVICES:-}" ]; then
    first=(env "CUDA_VISIBLE_DEVICES=${GPU%% *}")
fi
clustering=(--dataset_name "$DATASET" --n_clusters "$N_CLUSTERS" --scope "$ANCHOR_SCOPE"
    --input_dir "${features[@]}" --output_dir "$ANCHORS_DIR" --feature_norm "$FEATURE_NORM" --on_missing "$ON_MISSING"
    --fold_csv "${fold_csvs[@]}" ${fitting[@]+"${fitting[@]}"})
if [ -n "${submitting[*]-}" ]; then
    calls=(--call run_clustering "${clustering[@]}" --call main "${arguments[@]}")
    if [ "$EXPLAIN" != 0 ]; then calls+=(--call main "${explained[@]}"); fi
    passing_signals .venv/bin/python -m script.chain --results_dir "$RESULTS_DIR" "${submitting[@]}" "${calls[@]}"
    exit
fi
passing_signals ${first[@]+"${first[@]}"} .venv/bin/python run_clustering.py "${clustering[@]}"
passing_signals .venv/bin/python main.py "${arguments[@]}"
if [ "$EXPLAIN" != 0 ]; then passing_signals .venv/bin/python main.py "${explained[@]}"; fi
