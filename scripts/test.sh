#!/usr/bin/env bash
# Sets up .venv, then runs the linters, the type checker and the tests. Arguments go to pytest.
set -euo pipefail
repo=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)
bash "$repo/scripts/setup.sh"
cd "$repo"

# The tests share the cores as processes; each keeps to its part of them, with threads that sleep while they wait.
cores=$(getconf _NPROCESSORS_ONLN)
workers=$((cores < 4 ? cores : 4))
export OMP_NUM_THREADS=$((cores / workers)) OMP_WAIT_POLICY=PASSIVE
export NUMBA_NUM_THREADS=$OMP_NUM_THREADS

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/pyright
exec .venv/bin/python -m pytest -n "$workers" "$@"
