#!/usr/bin/env bash
# Set up and run all tests. Arguments go to pytest: bash script/test.sh -k kmeans
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash script/setup.sh
exec .venv/bin/python -m pytest "$@"
