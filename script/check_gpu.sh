#!/usr/bin/env bash
# Check a machine with a GPU: numbers against the CPU and the released vectors, seconds and memory, on one page.
#   bash script/check_gpu.sh [--out DIR] [--device cuda] [--budget SECONDS] [--parts NAME ...] [--small]
# At most about six minutes, without network. Needs the packages of requirements_MiCo.txt; parts that need one that is
# missing are left out by name. The page is DIR/gpu_check.md. Exit status: 0 = passed, 1 = something failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python=python3
[ -x .venv/bin/python ] && python=.venv/bin/python
exec "$python" -m benchmarks.gpu_check "$@"
