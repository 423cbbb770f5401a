# SPDX-License-Identifier: Apache-2.0
"""MuJoCo simulation of the tasks, scripted operator, emulators of the devices' protocols."""
