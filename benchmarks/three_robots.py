# SPDX-License-Identifier: Apache-2.0
"""Three simulated robots, each with a graph of its own, and one learner that hears them all.

    hiors bench three_robots [-- --episodes 1 --patience 240]

Each robot is `hiors up namespace:=robotN` with an operator, a task and a threshold of its own;
the learner is `hiors train --listen`. After its first accepted episodes one robot leaves; the
others go on; it comes back and is heard again. Nothing is simulated but the robots. Slow on a
small machine: three graphs are about 24 processes.
"""

import argparse
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
TASK = "insert_moisturizer"
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
SLOW = {"feedback_timeout": 0.5, "teleop_timeout": 0.5}
"""A loaded machine must not look like a robot that has died."""


class Lab:
    """The folders and processes of three robots and a learner."""

    def __init__(self, folder: Path, port: int, patience: float) -> None:
        self.folder, self.patience = folder, patience
        self.address = f"tcp://127.0.0.1:{port}"
        self._start = folder / "start"
        self._policy()
        (folder / "learner.yaml").write_text(yaml.safe_dump(LEARNER))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def close(self) -> None:
        """End everything."""
        for name in list(self._processes):
            self.end(name)

    def learn(self) -> None:
        """Start the learner."""
        words = ["train", "--run", str(self.folder / "learner"), "--listen", self.address]
        self._run("learner", [*words, "--config", str(self.folder / "learner.yaml")])

    def join(self, name: str) -> None:
        """Start the graph of a robot and wait until its policy is active.

        One after the other: three graphs that start at once on two cores outlast their deadlines.
        """
        since = self._said(name)
        words = {
            "namespace": name,
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

    def play(self, names: Sequence[str], accepted: int) -> None:
        """Run episodes on those robots at once until the learner has so many of each."""
        running: dict[str, subprocess.Popen[bytes]] = {}
        seed = 0

        def enough() -> bool:
            nonlocal seed
            for name in names:
                process = running.get(name)
                if self.learned(name) >= accepted or (process and process.poll() is None):
                    continue
                seed += 1
                words = ["episode", "1", "--namespace", name, "--seed", str(seed)]
                running[name] = self._popen(f"{name}-episodes", words)
            return all(self.learned(name) >= accepted for name in names)

        self.wait(enough, f"{accepted} accepted episodes of {', '.join(names)}")
        for process in running.values():
            process.wait()

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
        robot = load_robot(config_file("robots", "xtrainer"), ["left"])
        network = NetworkSettings(width=32, blocks=1)
        objects = load_task(config_file("tasks", TASK)).objects
        settings = FlowSettings(objects=objects, network=network, horizon=8)
        policy = FlowPolicy(robot, settings)
        policy.network.action_std.fill_(0.001)
        save_checkpoint(self._start, policy, version="v000000-start", step=0)

    def _task(self, name: str) -> Path:
        data = yaml.safe_load(config_file("tasks", TASK).read_text(encoding="utf-8"))
        path = self.folder / f"{TASK}_{name}.yaml"
        data["acceptance"] |= {"m": ROBOTS[name]["threshold"]}
        path.write_text(yaml.safe_dump(data | {"name": path.stem, "time_limit": 60.0}))
        return path

    def _params(self, name: str) -> Path:
        nodes = {
            "arbiter": SLOW,
            "operator": {"attention": ROBOTS[name]["attention"], "hand_back": 0.0, "keep_on": 1.0},
            "sim": {"object_rate": 30.0},
        }
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

    for name in names:
        lab.join(name)
    lab.learn()
    tell("three graphs and a learner have started")
    lab.play(names, count)
    tell("each robot has accepted episodes with the learner")
    lab.end("robot2")
    lab.play(["robot1", "robot3"], count + 1)
    tell("robot2 has left, the others go on")
    lab.join("robot2")
    lab.play(["robot2"], count + 1)
    tell("robot2 is back")
    lab.wait(lambda: len({lab.version(name) for name in names}) == 1, "the same checkpoint")
    status = lab.status()
    print(
        f"in the training set: {status['robots']}; checkpoint everywhere: {lab.version('robot1')}"
    )


if __name__ == "__main__":
    sys.exit(main())
