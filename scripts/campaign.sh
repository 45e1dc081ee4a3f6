#!/usr/bin/env bash
# The whole fault campaign: kills, loss of power, damaged files, attacks on the viewer (docs/reliability.md).
# Usage: bash scripts/campaign.sh [FOLDER]; the parts' outputs and the table go into FOLDER, outputs/campaign if left out.
# About an hour on two cores. Loss of power needs root; without it that part is reported as not run.
set -uo pipefail
repo=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)
folder=${1:-$repo/outputs/campaign}
mkdir -p "$folder"
folder=$(cd -P -- "$folder" && pwd)
cd "$repo"
bash scripts/setup.sh
export OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE
table=$folder/table.txt
: >"$table"
failed=0

part() { # name of the part, then its command
    local name=$1 status
    shift
    echo "== $name" >&2
    .venv/bin/python -m "$@" >"$folder/$name.log" 2>&1
    status=$?
    [ "$status" = 0 ] || failed=1
    printf '%-14s exit status %s   %s\n' "$name" "$status" "$(tail -n 1 "$folder/$name.log")" | tee -a "$table"
}

part kill-saves tests.faults.kill_saves
if [ "$(id -u)" = 0 ]; then
    part power-loss tests.faults.power_loss
else
    echo "power-loss     not run: it mounts a disk image, which needs root" | tee -a "$table"
    failed=1
fi
part kill-runs tests.faults.kill_runs --count 100
part scene-mutants tests.faults.mutants --count 1000
part run-mutants tests.faults.run_mutants --count 300
part viewer tests.faults.viewer_attacks
exit "$failed"
