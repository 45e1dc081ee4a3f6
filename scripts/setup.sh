#!/usr/bin/env bash
# Makes .venv in this repository and installs the project into it, with the tools of its tests.
#
# demo.sh and test.sh call it first. It is safe to run again: a finished installation leaves a stamp in .venv (a hash
# of pyproject.toml and constraints.txt, the Python version, this folder), and a run that finds it installs nothing.
# An installation that fails leaves no stamp. PYTHON=/path/to/python chooses the interpreter.
set -euo pipefail
unset CDPATH PYTHONHOME PYTHONPATH
cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
readonly stamp=.venv/setup-stamp log=.venv/setup.log

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

version_of() { "$1" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null; }

# Prints the path of the first interpreter that the project supports; that of .venv stays where nothing else is asked.
find_python() {
    local candidate candidates=(.venv/bin/python python3 python3.12 python3.11 python3.10 /usr/bin/python3)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        case "$(version_of "$candidate")" in
            3.10.* | 3.11.* | 3.12.*)
                "$candidate" -c 'import sys; print(sys._base_executable)'
                return
                ;;
        esac
    done
    return 1
}

# Prints what identifies a finished installation, or nothing where .venv does not run.
stamp_key() {
    .venv/bin/python - 2>/dev/null <<'PY' || true
import hashlib, os, pathlib, sys
inputs = b"".join(pathlib.Path(name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
print(hashlib.sha256(inputs).hexdigest(), "Python", sys.version.split()[0], "in", os.getcwd())
PY
}

# Linux only: elsewhere the wheels bring what they need.
can_load() {
    [ "$(uname -s)" != Linux ] || "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$1" 2>/dev/null
}

# Prints the Debian names of the system packages without which the installation or `import open3d` fails.
missing_required() {
    if [ -z "$python" ]; then
        echo python3 python3-venv python3-dev
    elif ! $installed; then
        local minor
        minor=$(version_of "$python" | cut -d. -f1,2)
        "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "python$minor-venv"
        "$python" -c 'import sysconfig; open(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ||
            echo "python$minor-dev"
    fi
    # pyliblzfse, which viser requires, has no wheel.
    $installed || command -v gcc >/dev/null || echo gcc libc6-dev
    can_load libGL.so.1 || echo libgl1
    can_load libX11.so.6 || echo libx11-6
    can_load libgomp.so.1 || echo libgomp1
    can_load libudev.so.1 || echo libudev1
}

# Prints those that only some commands need: ns-render, the mesh exports of ns-export, gsplat on a CUDA device.
missing_optional() {
    command -v ffmpeg >/dev/null || echo ffmpeg
    can_load libOpenGL.so.0 || echo libopengl0
    [ ! -e /dev/nvidiactl ] || command -v g++ >/dev/null || echo g++
}

# Sets installed, python, required, optional, and the command that gets both.
look_around() {
    installed=false python=.venv/bin/python
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(stamp_key)" ] &&
        { [ -z "${PYTHON:-}" ] || [ "$(version_of "$PYTHON")" = "$(version_of .venv/bin/python)" ]; }; then
        installed=true
    else
        python=$(find_python) || python=""
    fi
    required=$(missing_required | tr '\n' ' ')
    optional=$(missing_optional | tr '\n' ' ')
    get="apt-get install -y --no-install-recommends $required${optional% }"
}

# Installs what is missing as root on Debian and Ubuntu; elsewhere says what is missing and how to get it.
check_system() {
    look_around
    [ -n "$required$optional" ] || return 0
    local output
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! { $installed && [ -z "$required" ]; }; then
        say "installing system packages: $required${optional% }"
        output=$({ apt-get -qq update && DEBIAN_FRONTEND=noninteractive $get; } 2>&1) || tail -n 15 <<<"$output" >&2
        look_around
    fi
    if [ -z "$python" ] && command -v "${PYTHON:-python3}" >/dev/null; then
        fail "needs Python 3.10 to 3.12, found only $(version_of "${PYTHON:-python3}"):" \
            "install one (for example: uv python install 3.12), then set PYTHON to its path and run this again"
    elif [ -n "$required" ]; then
        fail "missing system packages: ${required}(on Debian or Ubuntu: sudo apt-get update && sudo $get)"
    elif [ -n "$optional" ]; then
        say "going on without system packages that some commands need: ${optional}(sudo $get)"
    fi
}

# A .venv of another Python, or one that was moved here from another folder, is made again.
make_venv() {
    if [ "$(version_of .venv/bin/python)" = "$(version_of "$python")" ] && [ -x .venv/bin/pip ] &&
        grep -qF "$PWD/.venv" .venv/bin/activate; then
        return
    fi
    say "making .venv with Python $(version_of "$python") ($python)"
    "$python" -m venv --clear .venv
}

# Passes on the lines of pip's output that show progress; all of it goes to the log.
show_progress() {
    local line packages=0
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        case "$line" in
            Collecting*)
                packages=$((packages + 1))
                [ $((packages % 50)) != 0 ] || say "$packages packages found"
                ;;
            *Downloading*\([1-9][0-9][0-9]*MB\) | *Downloading*GB\)) say "${line#"${line%%[![:space:]]*}"}" ;;
            "Installing collected packages"*) say "unpacking all packages (a minute or two)" ;;
        esac
    done
}

# Relative paths, because pip splits these variables at spaces; they also bind what sdists are built with.
install_with_pip() {
    PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt .venv/bin/python -m pip install \
        --disable-pip-version-check --no-input --progress-bar off -e '.[all,test]' 2>&1 | show_progress
}

install_with_uv() {
    uv pip install --python .venv/bin/python --constraint constraints.txt --build-constraint constraints.txt \
        -e '.[all,test]' 2>&1 | grep -v '^ [+-] '
}

install_packages() {
    say "installing into $PWD/.venv: about 4 GB of downloads and 9 GB on disk, some minutes, once. Most of it is CUDA" \
        "libraries, without a GPU too: the package index has no CPU-only torchvision"
    : >"$log"
    if command -v uv >/dev/null; then
        install_with_uv && return
        say "uv failed, trying pip"
    fi
    if ! install_with_pip; then
        { grep -A 5 'ERROR' "$log" || tail -n 30 "$log"; } >&2
        fail "the installation failed, see the lines above and $PWD/$log; run this again to go on"
    fi
}

check_system
if ! $installed; then
    rm -f "$stamp"
    make_venv
    install_packages
    say "checking that the installed libraries load"
    .venv/bin/python -W ignore -c 'import cv2, numba, open3d, pycolmap, torch, torchvision, gsplat, nerfstudio' ||
        fail "the installed libraries do not load, see the lines above"
    stamp_key >"$stamp"
    say "done"
fi
