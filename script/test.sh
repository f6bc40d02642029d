#!/usr/bin/env bash
# Set up and run all tests, in as many processes as TEST_PROCESSES says. Arguments go to pytest: bash script/test.sh -k kmeans
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash script/setup.sh --with-extras
if ! command -v chromium >/dev/null || ! command -v chromedriver >/dev/null; then
    echo "test.sh: no Chromium here, tests in a browser are skipped; to run them: apt-get install chromium chromium-driver"
fi
if ! command -v sbatch >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "test.sh: no Slurm to begin here (as root), tests with a real one are skipped; to run them: apt-get install slurm-wlm munge"
fi
# The tests' models are small: a process with one thread for each core is faster than one process with all threads.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec .venv/bin/python -m pytest -n "${TEST_PROCESSES:-2}" --dist loadgroup "$@"
