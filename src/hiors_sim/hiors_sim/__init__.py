# SPDX-License-Identifier: Apache-2.0
"""MuJoCo simulation of the tasks, scripted operator, emulators of the devices' protocols."""

from hiors_sim.gl import choose_backend

# MuJoCo reads the choice when it is first imported, so it must be made before any module of this package is.
choose_backend()
