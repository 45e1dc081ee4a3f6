#!/usr/bin/env bash
# Sets up .venv, then runs the main job on the embedded sample: photographs alone in, splat and cameras out.
# Usage: bash scripts/demo.sh [DIR] [options of `sparseags demo`]; DIR is .demo in this repository. With --level dust3r
# training starts from rough poses that are given.
set -euo pipefail
repo=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)
bash "$repo/scripts/setup.sh"
case "${1:--}" in
    -*) set -- "$repo/.demo" "$@" ;;
esac
exec "$repo/.venv/bin/sparseags" demo "$@"
