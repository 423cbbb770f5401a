# SPDX-License-Identifier: Apache-2.0
"""Gamepad, SpaceMouse, foot pedal and keyboard as teleoperation devices."""
