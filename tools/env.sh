# SPDX-License-Identifier: Apache-2.0
# Everything a shell needs to run hiors. Source it from bash:  . tools/env.sh
# What is set already by the user (domain, discovery range, renderer, threads, profile) is left alone.

HIORS_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HIORS_ROOT
export VIRTUAL_ENV=$HIORS_ROOT/.venv
# Not in the root: there `ros2 launch hiors ...` would take the file for the launch file.
export PATH=$VIRTUAL_ENV/bin:$PATH:$HIORS_ROOT/bin

if [ "$(cat "$VIRTUAL_ENV/.ros" 2>/dev/null)" = wheels ]; then
    # A sourced ROS 2 of another kind must not be mixed with the wheels. And the wheels restart Python once per
    # process tree to set the library path, guarded by a flag that one environment must not inherit from another.
    if [ -n "${ROS_DISTRO:-}${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
        unset PYTHONPATH COLCON_PREFIX_PATH ROS_DISTRO ROS_VERSION ROS_PYTHON_VERSION
        unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH
    fi
    export AMENT_PREFIX_PATH=$VIRTUAL_ENV CMAKE_PREFIX_PATH=$VIRTUAL_ENV
fi

# Topics stay on this machine unless one says where they may go (ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET, or a profile).
if [ -z "${ROS_AUTOMATIC_DISCOVERY_RANGE:-}${FASTRTPS_DEFAULT_PROFILES_FILE:-}" ]; then
    export ROS_AUTOMATIC_DISCOVERY_RANGE=SYSTEM_DEFAULT
    export FASTRTPS_DEFAULT_PROFILES_FILE=$HIORS_ROOT/config/dds/loopback.xml
fi
: "${MUJOCO_GL:=egl}"
: "${OMP_NUM_THREADS:=1}"
export MUJOCO_GL OMP_NUM_THREADS
if [ ! -e /dev/nvidiactl ]; then
    export DS_ACCELERATOR="${DS_ACCELERATOR:-cpu}"
fi

if [ -f "$HIORS_ROOT/install/local_setup.bash" ]; then
    . "$HIORS_ROOT/install/local_setup.bash"
fi
