#!/usr/bin/env bash
# Sets up .venv, then runs the main job on the embedded sample: photographs with rough poses in, splat and refined
# cameras out. Usage: bash scripts/demo.sh [DIR] [options of `sparseags demo`]; DIR is .demo in this repository.
set -euo pipefail
repo=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)
bash "$repo/scripts/setup.sh"
case "${1:--}" in
    -*) set -- "$repo/.demo" "$@" ;;
esac
exec "$repo/.venv/bin/sparseags" demo "$@"
