#!/usr/bin/env bash
# Writes every export of finished runs and opens it with independent programs; prints what they say.
# Usage: bash scripts/check_exports.sh [RUN[:SCENE] ...] [--steps N]. Without a run, makes one on the embedded sample.
set -euo pipefail
repo=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)
case "${1:--}" in
    -*)
        bash "$repo/scripts/demo.sh" "$repo/.demo"
        run=$(ls -d "$repo"/.demo/runs/sample/sparseags/*/ | tail -n 1)
        set -- "${run%/}:$repo/.demo/sample" "$@"
        ;;
esac
cd -- "$repo"
exec "$repo/.venv/bin/python" -m benchmarks.exports "$@"
