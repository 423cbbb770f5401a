# SPDX-License-Identifier: Apache-2.0
"""policy_node: observations in, action chunks out, on a thread of its own. Decides nothing about
who drives.

The next chunk is inferred while the present one is executed. A stream that is missing or stale
stops inference: the arbiter then holds the robot.
"""

import sys
import threading
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from hiors_control.checkpoint_swap import CheckpointSwap
from hiors_control.continuation import Sent, remainder
from hiors_control.policy_inputs import PolicyInputs
from hiors_control.policy_messages import checkpoint_message, chunk_message
from hiors_control.policy_parameters import PolicyParameters
from hiors_control.readiness import Readiness
from hiors_core.clock import to_s
from hiors_core.errors import HiorsError, InvalidValue
from hiors_core.observation import Observation
from hiors_core.robot import load_robot
from hiors_core.task import load_task
from hiors_interfaces.msg import ActionChunk, CheckpointInfo
from hiors_interfaces.srv import LoadCheckpoint
from hiors_policy.checkpoint import Checkpoint, read_latest
from hiors_ros.diagnostics import Level
from hiors_ros.node import HiorsLifecycleNode, run_node, settle
from hiors_ros.slow_services import SlowServices

_LOAD_DEADLINE = 30.0
_WAKE = 0.05


class PolicyNode(HiorsLifecycleNode):
    """Managed node: configure loads the checkpoint, activate lets it act."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("policy", **kwargs)
        self.parameters = self.declare_all(PolicyParameters)
        self.finish_parameters()
        self._robot = load_robot(self.parameters.robot_file, self.parameters.arms or None)
        self._instruction = load_task(self.parameters.task_file).instruction
        torch.set_num_threads(1)
        self._readiness = self._make_readiness()
        self._rng = np.random.default_rng(self.parameters.seed)
        self._active = self._ending = self._pinned = False
        self._sequence = 0
        self._current: Checkpoint | None = None
        self._sent: Sent | None = None
        self._inputs: PolicyInputs | None = None
        self._swap: CheckpointSwap | None = None
        self._slow: SlowServices | None = None
        self._thread: threading.Thread | None = None
        self._checkpoints: Any = None
        self._outputs: list[Any] = []

    def _make_readiness(self) -> Readiness:
        chosen = self.parameters
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return Readiness(
            self._robot,
            self._instruction,
            device=device if chosen.device == "auto" else chosen.device,
            rtc=chosen.rtc,
            noise=chosen.noise,
            gate=chosen.gate,
            ratio=chosen.gate_ratio,
        )

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and check the checkpoint, then listen; FAILURE with the reason in the log."""
        try:
            folder = self._first_folder()
            first = self._readiness.first(folder)
        except (HiorsError, OSError) as error:
            self.get_logger().error(str(error))
            self.diagnostics.set("checkpoint", Level.ERROR, str(error))
            return TransitionCallbackReturn.FAILURE
        self._current = first
        self._listen(first)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()
        settle()
        self.get_logger().info(f"policy {first.manifest.version} from {folder}")
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to act."""
        result = super().on_activate(state)
        self._active = True
        if self._inputs is not None:
            self._inputs.hurry()
        self._announce()
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to act; the checkpoint stays loaded."""
        self._active = False
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget the checkpoint."""
        self._forget()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the threads."""
        self._forget()
        return super().on_shutdown(state)

    def close(self) -> None:
        """End the threads."""
        self._forget()

    def _first_folder(self) -> Path:
        if self.parameters.checkpoint:
            return Path(self.parameters.checkpoint)
        folder = read_latest(self.parameters.checkpoints) if self.parameters.checkpoints else None
        if folder is None:
            raise InvalidValue(
                "There is no checkpoint to start with: give the parameter 'checkpoint', or train"
                f" one into checkpoints='{self.parameters.checkpoints}'"
                " (python -m hiors_learner.train --help)"
            )
        return folder

    def _listen(self, first: Checkpoint) -> None:
        self._swap = CheckpointSwap(self._load, self._refuse)
        self._outputs = [
            self.advertise(ActionChunk, "policy/chunk"),
            self.advertise(CheckpointInfo, "policy/checkpoint"),
        ]
        self._inputs = PolicyInputs(self, self.parameters, self._robot, first.manifest.spec)
        self._checkpoints = self.subscribe(
            CheckpointInfo, "learner/checkpoint", self._on_checkpoint
        )
        self._slow = SlowServices(self)
        self._slow.serve(LoadCheckpoint, "policy/load_checkpoint", self._on_load)

    def _on_checkpoint(self, message: CheckpointInfo) -> None:
        wanted = self.parameters.follow_learner and not self._pinned
        if wanted and self._swap is not None and message.version != self._version:
            self._swap.request(Path(message.path))

    def _on_load(
        self, request: LoadCheckpoint.Request, response: LoadCheckpoint.Response
    ) -> LoadCheckpoint.Response:
        try:
            folder = Path(request.path) if request.path else read_latest(self._published())
            if folder is None or self._swap is None:
                raise InvalidValue(f"No checkpoint was published in {self._published()} yet")
            loaded = self._swap.request(folder).result(timeout=_LOAD_DEADLINE)
        except FutureTimeout:
            response.message = f"not loaded within {_LOAD_DEADLINE:.0f} s; the old one serves on"
        except (HiorsError, OSError) as error:
            response.message = f"{error}; the old one serves on"
        else:
            # Chosen by a person: the learner's next checkpoint does not undo it.
            self._pinned = bool(request.path)
            response.success, response.version = True, loaded.manifest.version
            response.message = "takes over " + (
                "between chunks" if self.parameters.swap == "chunk" else "between episodes"
            )
        return response

    def _published(self) -> str:
        if not self.parameters.checkpoints:
            raise InvalidValue("The parameter 'checkpoints' names no folder: give a path")
        return self.parameters.checkpoints

    def _load(self, folder: Path) -> Checkpoint:
        if self._current is None:
            raise InvalidValue("the node is not configured")
        return self._readiness.next(folder, self._current)

    def _refuse(self, folder: Path, reason: str) -> None:
        self.get_logger().error(f"checkpoint {folder} refused: {reason}")
        self.diagnostics.set(
            "checkpoint", Level.WARN, f"refused: {reason}", path=folder, active=self._version
        )

    @property
    def _version(self) -> str:
        return self._current.manifest.version if self._current else ""

    def _run(self) -> None:
        try:
            while (inputs := self._inputs) is not None and not self._ending:
                inputs.wait(_WAKE)
                self._exchange(inputs)
                snapshot = inputs.snapshot(self.now_ns()) if self._active else None
                if snapshot is not None:
                    self._infer(*snapshot)
        except Exception as error:  # noqa: BLE001 the reason must be seen, whatever it is
            message = f"inference ended: {type(error).__name__}: {error}"
            self.get_logger().fatal(message)
            self.diagnostics.set("inference", Level.ERROR, message)

    def _exchange(self, inputs: PolicyInputs) -> None:
        if self._swap is None:
            return
        if self.parameters.swap == "episode" and inputs.wanted:
            return
        ready = self._swap.take()
        if ready is not None:
            self._current = ready
            self.get_logger().info(f"policy {self._version} takes over")
            self._announce()

    def _infer(self, observation: Observation, epoch: int) -> None:
        if self._current is None:
            return
        current, began = self._current, self.now_ns()
        seed = int(self._rng.integers(2**31))
        try:
            values = self._predict(current, observation, epoch, seed)
        except HiorsError as error:
            self.diagnostics.set("inference", Level.ERROR, f"no inference: {error}")
            return
        self._sequence += 1
        now = self.now_ns()
        spec, version = current.policy.spec, current.manifest.version
        took = to_s(now - observation.stamp)
        self._sent = Sent(stamp=observation.stamp, epoch=epoch, values=values, took=took)
        message = chunk_message(
            spec, values, observation.stamp, self._sequence, epoch, version, now
        )
        self._outputs[0].publish(message)
        self.diagnostics.set(
            "inference",
            Level.OK,
            f"{version}, {to_s(now - began) * 1e3:.1f} ms",
            chunks=self._sequence,
            observation_age_ms=f"{to_s(now - observation.stamp) * 1e3:.1f}",
        )

    def _predict(
        self, current: Checkpoint, observation: Observation, epoch: int, seed: int
    ) -> NDArray[np.float64]:
        policy, instruction = current.policy, self._instruction
        if self.parameters.rtc:
            left = remainder(self._sent, observation.stamp, epoch, policy.spec.dt)
            if left is not None:
                return policy.predict_after(observation, instruction, *left, seed=seed)
        return policy.predict(observation, instruction, seed)

    def _announce(self) -> None:
        if self._current is None or not self._outputs or not self._active:
            return
        self._outputs[1].publish(checkpoint_message(self._current, self.now_ns()))
        self.diagnostics.set("checkpoint", Level.OK, f"{self._version} acts")

    def _forget(self) -> None:
        self._ending, self._active = True, False
        if self._inputs is not None:
            self._inputs.close()
        if self._thread is not None:
            self._thread.join(timeout=5.0)
            self._thread = None
        if self._swap is not None:
            self._swap.close()
            self._swap = None
        if self._slow is not None:
            self._slow.close()
            self._slow = None
        if self._checkpoints is not None:
            self.destroy_subscription(self._checkpoints)
        for publisher in self._outputs:
            self.destroy_publisher(publisher)
        self._outputs = []
        self._inputs = self._checkpoints = self._current = self._sent = None


def main() -> int:
    """Run the node."""
    return run_node(PolicyNode)


if __name__ == "__main__":
    sys.exit(main())
