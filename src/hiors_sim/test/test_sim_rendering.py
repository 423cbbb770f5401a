# SPDX-License-Identifier: Apache-2.0
"""Pictures: cameras, snapshots, the choice of the OpenGL platform."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from hiors_core.errors import HiorsError, StateError, UnknownName
from hiors_core.robot import load_robot
from hiors_sim import gl
from hiors_sim.preview import main as preview
from hiors_sim.rendering import SceneRenderer
from hiors_sim.rendering_process import RenderingProcess
from hiors_sim.task import load_sim_task
from hiors_sim.xtrainer import XTrainerSim

CONFIG = Path(__file__).parents[3] / "config"
ROBOT = CONFIG / "robots" / "xtrainer.yaml"
TASK = CONFIG / "tasks" / "insert_moisturizer.yaml"


@pytest.fixture(scope="module")
def sim() -> XTrainerSim:
    return XTrainerSim(load_robot(ROBOT, ["left"]), load_sim_task(TASK))


@pytest.fixture(scope="module")
def renderer(sim: XTrainerSim) -> SceneRenderer:
    try:
        return SceneRenderer(sim.model)
    except HiorsError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("camera", ["top", "left_wrist", "right_wrist"])
def test_every_camera_sees_the_box(sim: XTrainerSim, renderer: SceneRenderer, camera: str) -> None:
    sim.reset(0)
    image = renderer.render(camera, sim.snapshot())
    assert image.shape == (120, 160, 3)
    assert image.dtype == np.uint8
    red, green, blue = image.astype(int).transpose(2, 0, 1)
    teal = (green > red + 40) & (blue > red + 20)
    assert teal.sum() > 40


def test_a_snapshot_is_a_moment_that_stays(sim: XTrainerSim, renderer: SceneRenderer) -> None:
    sim.reset(0)
    before = sim.snapshot()
    first = renderer.render("top", before)
    sim.reset(1)
    second = renderer.render("top", sim.snapshot())
    np.testing.assert_array_equal(renderer.render("top", before), first)
    assert (first != second).any()


def test_another_process_renders_the_same(sim: XTrainerSim, renderer: SceneRenderer) -> None:
    other = RenderingProcess(sim.model, ["top", "left_wrist"], width=160, height=120)
    for seed in (0, 1):
        sim.reset(seed)
        pictures = list(other.render(sim.snapshot()))
        assert [camera for camera, _ in pictures] == ["top", "left_wrist"]
        for camera, image in pictures:
            np.testing.assert_array_equal(image, renderer.render(camera, sim.snapshot()))
    other.close()


def test_a_process_that_cannot_render_says_why(
    sim: XTrainerSim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    other = RenderingProcess(sim.model, ["top"], width=16, height=16)
    for _ in range(2):
        with pytest.raises(HiorsError, match="MUJOCO_GL"):
            list(other.render(sim.snapshot()))
    other.close()


def test_an_unknown_camera_is_named(sim: XTrainerSim, renderer: SceneRenderer) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'left_wrist'"):
        renderer.render("left_wirst", sim.snapshot())


def test_another_thread_is_refused(sim: XTrainerSim, renderer: SceneRenderer) -> None:
    caught: list[Exception] = []

    def elsewhere() -> None:
        try:
            renderer.render("top", sim.snapshot())
        except StateError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "make one in this thread" in str(caught[0])


def test_the_preview_writes_a_picture(tmp_path: Path, renderer: SceneRenderer) -> None:
    out = tmp_path / "scene.png"
    options = ["--size", "80", "60", "--robot", str(ROBOT), "--task", str(TASK)]
    assert preview(["--out", str(out), *options]) == 0
    assert out.stat().st_size > 1000


def choice(monkeypatch: pytest.MonkeyPatch, libraries: set[str], vendor: bool) -> str:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(gl, "_loads", lambda library: library in libraries)
    monkeypatch.setattr(gl, "_VENDORS", (Path("/proc"),) if vendor else ())
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([self]))
    return gl.choose_backend()


def test_egl_is_preferred_and_osmesa_is_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {"libEGL.so.1", "libGL.so.1", "libOSMesa.so.8"}
    assert choice(monkeypatch, everything, vendor=True) == "egl"
    assert choice(monkeypatch, everything, vendor=False) == "osmesa"
    assert choice(monkeypatch, set(), vendor=True) == ""


def test_a_given_choice_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "osmesa")
    assert gl.choose_backend() == "osmesa"


def test_without_a_platform_the_packages_are_named(sim: XTrainerSim) -> None:
    script = (
        "import os; os.environ['MUJOCO_GL'] = 'disabled'\n"
        "from hiors_core.robot import load_robot\n"
        "from hiors_sim.task import load_sim_task\n"
        "from hiors_sim.xtrainer import XTrainerSim\n"
        f"sim = XTrainerSim(load_robot({str(ROBOT)!r}, ['left']), load_sim_task({str(TASK)!r}))\n"
        "sim.step(0.1)\n"
        "sim.render('top')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "apt-get install libegl1 libegl-mesa0" in done.stderr
