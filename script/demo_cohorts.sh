# Sourced by reproduce_tables.sh --demo: stand-in cohorts of both tasks, small enough for all models on two CPU cores.
DEMO_DIR="${DEMO_DIR:-demo}"
RESULTS_DIR="$DEMO_DIR/tables/results" ANCHORS_DIR="$DEMO_DIR/tables/anchors"
SEEDS="${SEEDS:-2024 2025}"  # two, so that trainings can be told apart from models
N_CLUSTERS=16 SWEEP="8 16 32" GPU=cpu GPUS= JOBS_PER_GPU= NUM_WORKERS=0 JOBS="${DEMO_JOBS:-2}"
more=(--no_figures ${more[@]+"${more[@]}"})

.venv/bin/python -m datasets.ucsb_breast --output_dir "$DEMO_DIR/ucsb_breast"
synthetic() { # name task signal: 60 cases, of which one slide in cls and one to three in surv
    .venv/bin/python -m datasets.synthetic --output_dir "$DEMO_DIR/tables/$1" --task "$2" --signal "$3" \
        --n_cases 60 --patches_per_slide 60 120 --file_format pt
}
synthetic proportion surv proportion
synthetic decisive cls decisive

# So few optimizer steps need a larger learning rate than the released protocol has, and one without RAdam's slow start;
# macro F1 on a few validation cases stands still for many epochs, so that it is given more patience. Under these
# settings every model trains, and no fold was warned of when they were chosen (2026-11-27, two CPU cores).
quick="--embed_dim 64 --grad_accum 1 --optimizer adamw --epochs 150"
at="$DEMO_DIR/tables"
COHORTS="
proportion    surv  $at/proportion/features         $at/proportion/splits    none    coords    $quick --batch_size 2 --lr 5e-4 --patience 8
ucsb_breast   cls   $DEMO_DIR/ucsb_breast/features  splits/ucsb_breast       zscore  features  $quick --batch_size 8 --lr 2e-4 --patience 32
decisive      cls   $at/decisive/features           $at/decisive/splits      none    coords    $quick --batch_size 2 --lr 1e-3 --patience 16
"
