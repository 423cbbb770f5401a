# SPDX-License-Identifier: Apache-2.0
"""MuJoCo simulation of the tasks, scripted operator, emulators of the devices' protocols."""

from hiors_sim.gl import choose_backend

# MuJoCo reads the choice when it is first imported: make it before any module of this package.
choose_backend()
