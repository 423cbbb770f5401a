# SPDX-License-Identifier: Apache-2.0
"""The order of the demo: demonstrations, starting policy, the graph, evaluation, summary."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hiors.arguments import BringupArgs
from hiors.demo import report, stages
from hiors.demo.options import POLICIES, Options, parse
from hiors.demo.records import EpisodeRow, check_some_ran, success_count
from hiors.demo.session import Session
from hiors.demo.table import Display
from hiors.graph import build_graph
from hiors.places import config_file, learner_program
from hiors.up import Bringup
from hiors_core.durable import write_atomic
from hiors_core.errors import HiorsError
from hiors_core.link import Link
from hiors_core.robot import load_robot
from hiors_sim.task import load_sim_task

ROBOT, TASK, ARM = "xtrainer", "insert_moisturizer", "left"


@dataclass(slots=True, kw_only=True)
class Result:
    """What the stages found, for the summary."""

    rows: list[EpisodeRow] = field(default_factory=list)
    start: dict[str, int] = field(default_factory=dict)
    final: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    control: dict[str, Any] = field(default_factory=dict)
    enabled_again: int = 0


class Demo:
    """One run of the demo in the folder ``options.out``."""

    def __init__(self, options: Options, display: Display) -> None:
        self.options, self.display = options, display
        self.scene = stages.Scene(
            robot=load_robot(config_file("robots", ROBOT), [ARM]),
            task=load_sim_task(config_file("tasks", TASK)),
        )
        self.seeds = stages.Seeds(seed=options.seed)
        self.result = Result()
        self._args = self._arguments()
        # Before the first stage: a wrong parameter file must not cost a training.
        self._nodes = build_graph(self._args)
        self._playing = stages.playing(self._nodes)

    @contextmanager
    def _timed(self, name: str, text: str) -> Iterator[None]:
        self.display.stage(text)
        began = time.monotonic()
        yield
        self.result.seconds[name] = round(time.monotonic() - began, 1)

    def run(self) -> None:
        """Run all the stages."""
        out, count = self.options.out, self.options.evaluation
        with self._timed("demonstrations", "1/5 recording scripted demonstrations"):
            bar = self.display.bar("demonstrations", self.options.demonstrations)
            stages.record_demonstrations(
                self.scene,
                out / "demos",
                self.seeds,
                self.options.demonstrations,
                lambda done: self.display.advance(bar, done),
                images=self.options.policy == "vision",
            )
        with self._timed("starting_policy", "2/5 training the starting policy on them"):
            self._train_start()
        with self._timed("start_evaluation", "3/5 evaluating the starting policy alone"):
            self.result.start = self._evaluate(count)
            self.display.say(f"starting policy alone: {report.of(self.result.start)}")
        with self._timed("online", "4/5 the robot tries, the operator helps, the learner learns"):
            self._online()
        with self._timed("final_evaluation", "5/5 evaluating the final policy alone"):
            self.result.final = self._evaluate(count)
            self.display.say(f"final policy alone: {report.of(self.result.final)}")

    def _train_start(self) -> None:
        files = {
            "--robot": config_file("robots", ROBOT),
            "--task": config_file("tasks", TASK),
            "--config": config_file("learner", "demo_start"),
            "--demos": self.options.out / "demos",
            "--steps": self.options.steps,
            "--policy": self.options.policy,
            "--out": self.options.out / "checkpoints" / "v000000-start",
        }
        words = [str(word) for pair in files.items() for word in pair]
        stages.run_learner([*learner_program(), *words], self.options.out / "logs")

    def _evaluate(self, count: int) -> dict[str, int]:
        checkpoints = self.options.out / "checkpoints"
        return stages.evaluate(self.scene, checkpoints, self.seeds, count, self._playing)

    def _arguments(self) -> BringupArgs:
        return BringupArgs(
            robot=ROBOT,
            arms=ARM,
            task=TASK,
            run_dir=str(self.options.out),
            learner_config=str(config_file("learner", "demo")),
            policy=POLICIES[self.options.policy],
            params=str(self.options.params),
            seed=self.options.seed,
            log_level="info",
        )

    def _note(self, line: str) -> None:
        with (self.options.out / "logs" / "graph.log").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _online(self) -> None:
        rows = self.result.rows
        self.display.rows = rows
        with Bringup(self._nodes, self._args, show=self._note) as graph, Session() as session:
            beat = self._beat(session, graph)
            session.ready(beat)
            self.display.stage("4/5 waiting for the learner to come up")
            session.wait(session.learner_up, 120.0, "the learner (logs/learner.log)", beat)
            self.display.stage("4/5 the robot tries, the operator helps, the learner learns")
            try:
                for number in range(1, self.options.episodes + 1):
                    row = EpisodeRow(number=number, seed=self.seeds.online(number))
                    rows.append(row)
                    session.run_episode(row, TASK, beat)
                    if not row.episode_id:
                        self.display.say(f"episode {number} could not be run: {row.ending}")
                    self.display.ended(number)
                    check_some_ran(rows)
                    if not row.episode_id and not session.robot_ready:
                        self.result.enabled_again += session.recover(beat, self.display.say)
                self.display.stage("4/5 the learner takes in the last episodes")
                what = "the last decisions and the learner"
                session.wait(lambda: _settled(rows), 60.0, what, beat)
            finally:
                self._note_control(session)

    def _beat(self, session: Session, graph: Bringup) -> Callable[[], None]:
        def beat() -> None:
            if (code := graph.step()) is not None:
                log = self.options.out / "logs" / "graph.log"
                raise HiorsError(f"The graph ended with code {code}; {log} says why.")
            for row in self.result.rows:
                was_open = not row.decision
                session.update(row)
                if was_open and row.decision:
                    self.display.decided(row)
            status, heard = self.display.status, session.heard
            if heard.control is not None:
                status.authority = heard.control.authority
                status.reason = heard.control.reason
                status.rate_hz = heard.control.rate_hz
            if heard.learner is not None:
                status.learner_step = heard.learner.step
                status.learner_loss = heard.learner.loss
                status.learner_episodes = heard.learner.episodes
            status.policy_version = heard.checkpoint
            status.hot_swaps = len(heard.swaps)

        return beat

    def _note_control(self, session: Session) -> None:
        swaps, commands = session.heard.swaps, session.commands
        control = session.heard.control
        self.result.control = {
            "control_period_ms": commands.summary_ms(),
            "hot_swaps": len(swaps),
            "largest_gap_at_hot_swaps_ms": commands.largest_gap_ms(swaps),
            "missed_ticks": int(control.missed_ticks) if control is not None else None,
        }

    def _learner_ids(self) -> list[str]:
        entries = Link(self.options.out / "link").ledger()
        return [entry.episode_id for entry in entries if entry.kind == "online"]

    def summary(self, wall: float) -> dict[str, Any]:
        """Return what summary.json holds."""
        rows = self.result.rows
        control = {"control_period_ms": {}, "hot_swaps": 0} | self.result.control
        return {
            "seed": self.options.seed,
            "policy": self.options.policy,
            "episodes": len(rows),
            "accepted_ids": [r.episode_id for r in rows if r.decision == "accepted"],
            "rejected": {r.episode_id: list(r.reasons) for r in rows if r.decision == "rejected"},
            "learner_ids": self._learner_ids(),
            "start_success": self.result.start,
            "final_success": self.result.final,
            "first20": success_count(rows[:20]),
            "last20": success_count(rows[-20:]),
            "interventions": [r.interventions for r in rows],
            "human_fraction": [round(r.human_fraction, 3) for r in rows],
            "outcomes": [r.outcome for r in rows],
            "enabled_again": self.result.enabled_again,
            "stage_s": self.result.seconds,
            "wall_s": round(wall, 1),
            **control,
        }


def _settled(rows: Sequence[EpisodeRow]) -> bool:
    return all(r.decision == "rejected" or r.learned for r in rows if r.outcome != "none")


def main(argv: Sequence[str]) -> int:
    """Run `hiors demo`."""
    options = parse(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with Display(options.episodes, headless=options.headless) as display:
        demo = Demo(options, display)
        try:
            demo.run()
        finally:
            if demo.result.rows or demo.result.start:
                summary = demo.summary(time.monotonic() - began)
                text = json.dumps(summary, indent=2, sort_keys=True) + "\n"
                write_atomic(options.out / "summary.json", text.encode(), "summary")
        curve = options.out / "learning_curve.png"
        report.draw_curve(curve, demo.result.rows, demo.result.start, demo.result.final)
        display.stage("done")
    for text in report.closing(summary, options.out):
        display.say(text)
    return 0
