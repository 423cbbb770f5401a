# SPDX-License-Identifier: Apache-2.0
"""The thread that talks to a learner on another machine. Knows no ROS, and no files itself."""

import threading
from pathlib import Path

from hiors_bridge.parameters import BridgeParameters
from hiors_core.clock import SteadyClock
from hiors_core.link import Link
from hiors_link.actor import Actor, ActorSettings, Health

LOCAL = "local"


class Remote:
    """Runs an Actor until closed."""

    def __init__(self, parameters: BridgeParameters, link: Link) -> None:
        settings = ActorSettings(
            address=parameters.learner,
            actor=parameters.actor,
            keys=Path(parameters.keys).expanduser() if parameters.keys else None,
            checkpoint_limit=int(parameters.checkpoint_limit_gib * 2**30),
        )
        self._actor = Actor(link, Path(parameters.checkpoints), settings, SteadyClock())
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._actor.run, args=(self._stop,), name="link", daemon=True
        )
        self._thread.start()

    @property
    def health(self) -> Health:
        """How the link is."""
        return self._actor.health

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=2.0)
