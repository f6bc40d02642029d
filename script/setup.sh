#!/usr/bin/env bash
# Set up .venv with the packages of requirements_MiCo.txt; does nothing when they have not changed.
#   bash script/setup.sh [--with-torch-scatter] [--with-extras]
# PYTHON names the interpreter (3.10 to 3.12) to make .venv with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

with_torch_scatter=no with_extras=no
for argument in "$@"; do
    case "$argument" in
        --with-torch-scatter) with_torch_scatter=yes ;;
        --with-extras) with_extras=yes ;;
        *) echo "setup.sh: error: unknown option $argument, expected --with-torch-scatter or --with-extras" >&2; exit 2 ;;
    esac
done

supported='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'
find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.10 python; do
        if command -v "$candidate" >/dev/null && "$candidate" -c "$supported" 2>/dev/null; then
            echo "$candidate"; return
        fi
    done
    echo "setup.sh: error: found no Python 3.10, 3.11 or 3.12: install one, or name it with PYTHON=..." >&2
    return 2
}

# Two faiss packages would overwrite each other's files, so the GPU build takes the place of the CPU build.
faiss=cpu
if command -v nvidia-smi >/dev/null && nvidia-smi >/dev/null 2>&1; then faiss=gpu; fi
wanted="$(sed "s/^faiss-cpu==/faiss-$faiss==/" requirements_MiCo.txt)"
stamp=.venv/requirements-installed.txt

if [ ! -f "$stamp" ] || [ "$wanted" != "$(cat "$stamp")" ]; then
    python="$(find_python)"
    echo "setup.sh: installing the packages of requirements_MiCo.txt (faiss-$faiss) into .venv"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    other=$([ "$faiss" = gpu ] && echo cpu || echo gpu)
    .venv/bin/python -m pip uninstall --quiet --yes "faiss-$other" 2>/dev/null || true
    printf '%s\n' "$wanted" > .venv/requirements-wanted.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r .venv/requirements-wanted.txt
    mv .venv/requirements-wanted.txt "$stamp"
fi

if [ "$with_torch_scatter" = yes ] && ! .venv/bin/python -m pip show --quiet torch-scatter 2>/dev/null; then
    echo "setup.sh: building torch-scatter against the installed torch (minutes)"
    .venv/bin/python -m pip install --quiet setuptools wheel
    .venv/bin/python -m pip install --quiet --no-build-isolation torch-scatter==2.1.2
fi

extras=.venv/extras-installed.txt
if [ "$with_extras" = yes ] && ! cmp --silent requirements_extras.txt "$extras"; then
    echo "setup.sh: installing the packages of requirements_extras.txt into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements_extras.txt
    cp requirements_extras.txt "$extras"
fi
