# SPDX-License-Identifier: Apache-2.0
"""Three simulated robots, each with a graph of its own, and one learner that hears them all.

    hiors bench three_robots [-- --episodes 1 --patience 240]

Each robot is `hiors up namespace:=robotN` with an operator, a task and a threshold of its own;
the learner is `hiors train --listen`. After its first accepted episodes one robot leaves; the
others go on; it comes back and is heard again. Nothing is simulated but the robots and people.
Three graphs are 24 processes and fill two cores at a third of the usual control rate.
"""

import argparse
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from hiors.places import config_file
from hiors_core.link import Link
from hiors_core.robot import load_robot
from hiors_core.task import load_task
from hiors_policy.checkpoint import save_checkpoint
from hiors_policy.flow_policy import FlowPolicy, FlowSettings
from hiors_policy.network import NetworkSettings

ROOT = Path(__file__).resolve().parents[1]
ROBOT, TASK = "xtrainer", "insert_moisturizer"
ROBOTS = {
    "robot1": {"threshold": 1.0, "attention": 1.0},
    "robot2": {"threshold": 0.9, "attention": 0.95},
    "robot3": {"threshold": 0.8, "attention": 0.9},
}
LEARNER = {
    "policy": {"width": 32, "blocks": 1, "horizon": 8},
    "data": {"batch_size": 16, "min_transitions": 10},
    "output": {"publish_every": 50, "publish_paced": 10, "save_every": 1000},
}
CONTROL_RATE = 10.0
"""Of each robot [Hz]. Nearly all that a graph costs goes with the number of its messages: at the
usual 30 Hz one takes a whole core, and three would starve on two.
"""
PATIENT = {
    "arbiter": {"feedback_timeout": 1.0, "teleop_timeout": 0.5, "starvation_grace": 0.5},
    "driver": {
        "state_rate": CONTROL_RATE,
        "servo_rate": CONTROL_RATE,
        "command_timeout": 1.0,
        "left.feedback_timeout": 5.0,
    },
    "sim": {"object_rate": CONTROL_RATE},
    "bridge": {"max_gap": 1.0},
}
"""Few messages, and a machine that hesitates is no robot that has died."""


class Lab:
    """The folders and processes of three robots and a learner."""

    def __init__(self, folder: Path, port: int, patience: float) -> None:
        self.folder, self.patience = folder, patience
        self.address = f"tcp://127.0.0.1:{port}"
        self._start = folder / "start"
        self._policy()
        self._robot = self._slower_robot()
        (folder / "learner.yaml").write_text(yaml.safe_dump(LEARNER))
        self._seeds = itertools.count(1, 1000)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def close(self) -> None:
        """End everything."""
        for name in list(self._processes):
            self.end(name)

    def learn(self) -> None:
        """Start the learner and wait until it listens to whoever joins."""
        words = ["train", "--run", str(self.folder / "learner"), "--listen", self.address]
        self._run("learner", [*words, "--config", str(self.folder / "learner.yaml")])
        self.wait(lambda: bool(self.status()), "the learner")

    def join(self, name: str) -> None:
        """Start the graph of a robot and wait until its policy is active.

        One after the other: three graphs that start at once on two cores outlast their deadlines.
        """
        since = self._said(name)
        words = {
            "namespace": name,
            "robot": self._robot,
            "learner": self.address,
            "run_dir": self.folder / name,
            "task": self._task(name),
            "params": self._params(name),
            "policy": self._start,
            "cameras": "false",
            "seed": 100 * (1 + list(ROBOTS).index(name)),
        }
        self._run(name, ["up", *(f"{key}:={value}" for key, value in words.items())])
        self.wait(lambda: self._said(name) > since, f"the policy of {name}")

    def _said(self, name: str) -> int:
        log = self.folder / f"{name}.log"
        return log.read_text().count("/policy activated") if log.exists() else 0

    def end(self, name: str) -> None:
        """End a process of the lab as Ctrl-C does."""
        process = self._processes.pop(name)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20.0)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def play(self, names: Sequence[str], more: int) -> None:
        """Run episodes on those robots at once until the learner has so many more of each.

        A robot that has them rests.
        """
        wanted = {name: self.learned(name) + more for name in names}
        for name in names:
            words = ["episode", "1000", "--namespace", name, "--seed", str(next(self._seeds))]
            self._run(f"{name}-episodes", words)

        def enough() -> bool:
            for name in names:
                done, running = self.learned(name) >= wanted[name], f"{name}-episodes"
                if done and running in self._processes:
                    self.end(running)
            return not any(f"{name}-episodes" in self._processes for name in names)

        self.wait(enough, f"{more} more accepted episodes of {', '.join(names)}")

    def learned(self, name: str) -> int:
        """Return how many episodes of a robot are in the training set."""
        return sum(e.actor == name for e in Link(self.folder / "learner" / "link").ledger())

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the condition while all processes live."""
        end = time.monotonic() + self.patience
        while not condition():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise SystemExit(f"{name} has ended: see {self.folder / name}.log")
            if time.monotonic() > end:
                raise SystemExit(f"waited {self.patience:.0f} s in vain for {what}")
            time.sleep(0.5)

    def version(self, name: str) -> str:
        """Return the newest checkpoint that a robot has, or ""."""
        path = self.folder / name / "checkpoints" / "latest.json"
        return json.loads(path.read_text())["version"] if path.exists() else ""

    def status(self) -> dict[str, Any]:
        """Return what the learner says of itself."""
        return dict(Link(self.folder / "learner" / "link").status() or {})

    def _run(self, name: str, words: Sequence[str]) -> None:
        self._processes[name] = self._popen(name, words)

    def _popen(self, name: str, words: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            line = [str(ROOT / "bin" / "hiors"), *words]
            return subprocess.Popen(line, stdout=log, stderr=log, start_new_session=True)

    def _policy(self) -> None:
        robot = load_robot(config_file("robots", ROBOT), ["left"])
        network = NetworkSettings(width=32, blocks=1)
        objects = load_task(config_file("tasks", TASK)).objects
        settings = FlowSettings(objects=objects, network=network, horizon=8)
        policy = FlowPolicy(robot, settings)
        policy.network.action_std.fill_(0.001)
        save_checkpoint(self._start, policy, version="v000000-start", step=0)

    def _slower_robot(self) -> Path:
        """Write the robot's file with another control rate; return its path."""
        data = yaml.safe_load(config_file("robots", ROBOT).read_text(encoding="utf-8"))
        path = self.folder / f"{ROBOT}.yaml"
        path.write_text(yaml.safe_dump(data | {"control_rate_hz": CONTROL_RATE}))
        return path

    def _task(self, name: str) -> Path:
        data = yaml.safe_load(config_file("tasks", TASK).read_text(encoding="utf-8"))
        path = self.folder / f"{TASK}_{name}.yaml"
        data["acceptance"] |= {"m": ROBOTS[name]["threshold"]}
        path.write_text(yaml.safe_dump(data | {"name": path.stem, "time_limit": 60.0}))
        return path

    def _params(self, name: str) -> Path:
        person = {"attention": ROBOTS[name]["attention"], "hand_back": 0.0, "keep_on": 1.0}
        nodes = PATIENT | {"operator": {"rate": 20.0} | person}
        path = self.folder / f"{name}.params.yaml"
        path.write_text(yaml.safe_dump({n: {"ros__parameters": p} for n, p in nodes.items()}))
        return path


def main() -> int:
    """Play the story and print who is in the training set."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--episodes", type=int, default=1, help="accepted ones of each at first")
    parser.add_argument("--port", type=int, default=5751)
    parser.add_argument("--patience", type=float, default=240.0, help="for each part [s]")
    parser.add_argument("--folder", type=Path, help="keep the run here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="three-robots-") as own:
        folder = (options.folder or Path(own)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        lab = Lab(folder, options.port, options.patience)
        try:
            _story(lab, options.episodes)
        finally:
            lab.close()
    return 0


def _story(lab: Lab, count: int) -> None:
    names = list(ROBOTS)
    begun = time.monotonic()

    def tell(text: str) -> None:
        known = ", ".join(f"{n} {lab.learned(n)}" for n in names)
        print(f"{time.monotonic() - begun:6.0f} s  {text}; learned: {known}", flush=True)

    lab.learn()
    for name in names:
        lab.join(name)
    tell("three graphs and a learner have started")
    lab.play(names, count)
    tell("each robot has accepted episodes with the learner")
    lab.end("robot2")
    lab.play(["robot1", "robot3"], 1)
    tell("robot2 has left, the others go on")
    lab.join("robot2")
    lab.play(["robot2"], 1)
    tell("robot2 is back")
    lab.wait(lambda: len({lab.version(name) for name in names}) == 1, "the same checkpoint")
    status = lab.status()
    print(
        f"in the training set: {status['robots']}; checkpoint everywhere: {lab.version('robot1')}"
    )


if __name__ == "__main__":
    sys.exit(main())
