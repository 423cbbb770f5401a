# SPDX-License-Identifier: Apache-2.0
"""The ranks of the learner: how they start together, and how rank 0 tells the others what to do
next.
"""

import ctypes
import os
import signal
import socket
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.distributed import distributed_c10d

from hiors_learner.data import Samples
from hiors_learner.places import LOOPBACK

SILENCE = 60.0
"""[s] after which a rank that hears nothing gives up; rank 0 says IDLE far more often."""


_PR_SET_PDEATHSIG = 1


class Command(IntEnum):
    """What all ranks do next."""

    IDLE = 0
    STEP = 1
    DATA = 2
    SAVE = 3
    STOP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """One process among the ranks."""

    rank: int
    world: int

    @property
    def leads(self) -> bool:
        """Whether this is rank 0, which owns files and data."""
        return self.rank == 0

    def tell(self, command: Command, value: int = 0) -> tuple[Command, int]:
        """Return rank 0's command and value on every rank."""
        message = torch.tensor([int(command), value], dtype=torch.int64)
        if self.world > 1:
            distributed.broadcast(message, src=0)
        return Command(int(message[0])), int(message[1])

    def agree(self, value: int) -> int:
        """Return rank 0's value on every rank."""
        return self.tell(Command.IDLE, value)[1]

    def share(self, samples: Samples | None, like: Samples) -> Samples:
        """Return rank 0's samples on every rank; ``like`` gives the shapes of a row."""
        if self.world == 1:
            return samples or like
        count = torch.tensor([0 if samples is None else len(samples)], dtype=torch.int64)
        distributed.broadcast(count, src=0)
        parts = []
        for i, row in enumerate(like.arrays()):
            shape = (int(count), *row.shape[1:])
            own = samples.arrays()[i] if samples is not None else np.empty(shape, row.dtype)
            # gloo has no booleans; a view of bytes travels as well.
            tensor = torch.from_numpy(np.ascontiguousarray(own).view(np.uint8))
            if tensor.numel():
                distributed.broadcast(tensor, src=0)
            parts.append(tensor.numpy().view(row.dtype))
        return Samples.of(parts)

    def end(self) -> None:
        """Leave the group."""
        if distributed.is_initialized():
            distributed.destroy_process_group()


def start_team() -> Team:
    """Join the group that DeepSpeed's launcher or torchrun describes in the environment, or be
    alone.
    """
    if "LOCAL_SIZE" in os.environ or "LOCAL_WORLD_SIZE" in os.environ:
        _die_with_parent()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("DS_ACCELERATOR", "cpu")
    alone = {
        "RANK": "0",
        "LOCAL_RANK": "0",
        "WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    if "RANK" not in os.environ:
        os.environ.update(alone)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    import deepspeed
    import deepspeed.ops

    # Without this, DeepSpeed compiles a C++ extension at start that the learner never uses.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    # DeepSpeed's own groups ignore the timeout given to init_distributed.
    silence = timedelta(seconds=SILENCE)
    distributed_c10d.default_pg_timeout = silence
    backend = "gloo"
    if os.environ["DS_ACCELERATOR"] == "cuda":
        # Commands and episodes travel between processors, gradients between GPUs.
        backend = "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    distributed.init_process_group(
        backend, store=_store(rank, world, silence), rank=rank, world_size=world, timeout=silence
    )
    deepspeed.init_distributed(dist_backend=backend, auto_mpi_discovery=False, timeout=silence)
    return Team(rank=rank, world=world)


def free_port() -> int:
    """Return a TCP port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _store(rank: int, world: int, timeout: timedelta) -> Any:
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    if "TORCHELASTIC_RUN_ID" in os.environ:
        # The agent's store remembers the addresses of ranks that died: each attempt has its own.
        port += 1 + int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
    listener = None
    if host in (LOOPBACK, "localhost"):
        host = LOOPBACK
        for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(variable, "lo")
        # By itself the store would listen on every interface.
        listener = socket.create_server((LOOPBACK, port)).detach() if rank == 0 else None
    return distributed.TCPStore(  # type: ignore[attr-defined]
        host, port, world, rank == 0, timeout, master_listen_fd=listener, use_libuv=False
    )


def _die_with_parent() -> None:
    # The launcher's children survive a SIGKILL of the launcher; the kernel ends them instead.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
