#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# exec, so that a signal to the container reaches the command itself.
set -e
. /opt/ros/jazzy/setup.bash
. /opt/hiors/tools/env.sh
exec "$@"
