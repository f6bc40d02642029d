# Sourced: from LAUNCHER, GPU, GPUS, JOBS_PER_GPU and JOBS to the device, how anchors are fitted, and the options of the
# launcher. With Slurm the jobs have the GPUs that SLURM_OPTIONS asks for, whatever this machine has.
# On GPUs, JOBS alone stands for JOBS_PER_GPU, as it did when there was one GPU.
case "$DRY_RUN" in
    yes | no) ;;
    *) echo "error: got DRY_RUN=$DRY_RUN, expected yes or no" >&2; exit 2 ;;
esac
read -r -a of_slurm <<< "$SLURM_OPTIONS"
of_slurm=(${of_slurm[@]+--slurm "${of_slurm[@]}"})
if [ "$DRY_RUN" = yes ]; then of_slurm+=(--dry_run); fi
if [ "$LAUNCHER" = slurm ]; then
    launching=(--launcher slurm ${of_slurm[@]+"${of_slurm[@]}"})
    if [ -n "$JOBS" ]; then launching+=(--jobs "$JOBS"); fi
    if [ -n "$GPUS$JOBS_PER_GPU" ]; then launching+=(--gpus "${GPUS:-all}"); fi # which says what is wrong with it
    device=auto fitting=()
    return
fi
if [ -n "$GPUS" ]; then GPU="$GPUS"; fi
if [ "$GPU" = auto ]; then
    if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then GPU=0; else GPU=cpu; fi
    if [ "$LAUNCHER" = ray ] && [ -n "$RAY_ADDRESS" ] && [ "$GPU" = 0 ]; then GPU=all; fi # which one, Ray chooses
fi
read -r -a launching <<< "$GPU"
launching=(${LAUNCHER:+--launcher "$LAUNCHER"} ${of_slurm[@]+"${of_slurm[@]}"} --gpus "${launching[@]}")
if [ "$GPU" = cpu ]; then
    device=cpu fitting=()
    if [ -n "$JOBS" ]; then launching+=(--jobs "$JOBS"); fi
    if [ -n "$JOBS_PER_GPU" ]; then launching+=(--jobs_per_gpu "$JOBS_PER_GPU"); fi # which says what is wrong with it
else
    device=cuda fitting=(--gpu)
    if [ -n "${JOBS_PER_GPU:-$JOBS}" ]; then launching+=(--jobs_per_gpu "${JOBS_PER_GPU:-$JOBS}"); fi
fi
if [ "$LAUNCHER" = ray ]; then
    if [ -n "$RAY_ADDRESS" ]; then launching+=(--ray_address "$RAY_ADDRESS"); fi
    if [ -n "$RAY_CPUS" ]; then launching+=(--ray_cpus "$RAY_CPUS"); fi
fi
