# SPDX-License-Identifier: Apache-2.0
"""Where ranks run: which GPUs learn and which one serves inference, and the file that names hosts.
Knows no torch.
"""

import importlib.metadata
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hiors_core.errors import HiorsError, InvalidValue

CPU = "cpu"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Devices of one machine, as numbers of GPUs; none learn where the CPU does.

    Attributes:
        ranks: training processes. learners: the GPU of each. inference: of the policy node.
    """

    ranks: int
    learners: tuple[str, ...] = ()
    inference: str = CPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A line of a hostfile: slots is how many ranks the host runs."""

    name: str
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where all ranks run.

    Attributes:
        layout: of this machine. hostfile, hosts: of several machines; this one is the first.
        interface: network that they share; the loopback when empty.
    """

    layout: Layout = Layout(ranks=1)
    hostfile: Path | None = None
    hosts: tuple[Host, ...] = ()
    interface: str = ""

    @property
    def accelerator(self) -> str:
        """What DeepSpeed calls the kind of device."""
        return "cuda" if self.layout.learners else CPU


HERE = Placement()
"""One rank on this machine's CPU."""


def place(
    gpus: Sequence[str],
    ranks: int | None = None,
    hostfile: Path | None = None,
    interface: str = "",
) -> Placement:
    """Return where ranks run, or raise InvalidValue when the options do not go together."""
    if hostfile is None:
        if interface:
            raise InvalidValue("--interface is for other machines: give them with --hostfile FILE")
        return Placement(layout=layout(gpus, ranks))
    if ranks is not None:
        raise InvalidValue("Give --ranks or --hostfile: its slots say how many ranks a host runs")
    hosts = read_hostfile(hostfile)
    if len(hosts) > 1 and not interface:
        raise InvalidValue(
            f"--hostfile {hostfile} names other machines: give --interface, the network that all"
            " share, such as eth0 (`ip -brief address` shows yours)"
        )
    if interface:
        check_interface(interface)
    own = hosts[0].slots
    if gpus and own > len(gpus):
        raise InvalidValue(
            f"{hostfile}: {hosts[0].name} has slots={own}, and {len(gpus)} GPUs are visible there"
        )
    here = layout(tuple(map(str, range(own))) if gpus else (), None if gpus else own)
    return Placement(layout=here, hostfile=hostfile, hosts=hosts, interface=interface)


def layout(gpus: Sequence[str], ranks: int | None = None) -> Layout:
    """Return who gets which GPU: the first serves inference, the one that the policy node takes by
    itself, and all others learn. A single GPU does both.

    Args:
        gpus: visible ones. ranks: how many learn; all but one when None, 1 on a CPU.

    Raises InvalidValue for less than one rank, or more ranks than GPUs.
    """
    if ranks is not None and ranks < 1:
        raise InvalidValue(f"--ranks must be at least 1, got {ranks}")
    if not gpus:
        return Layout(ranks=ranks or 1)
    wanted = ranks or max(1, len(gpus) - 1)
    if wanted > len(gpus):
        raise InvalidValue(
            f"--ranks {wanted} needs as many GPUs, and {len(gpus)} are visible"
            f" ({', '.join(gpus)}): ask for {max(1, len(gpus) - 1)} beside inference, at most"
            f" {len(gpus)}"
        )
    return Layout(ranks=wanted, learners=tuple(gpus[-wanted:]), inference=gpus[0])


def visible_gpus(
    variables: Mapping[str, str] | None = None, devices: Path = Path("/dev")
) -> tuple[str, ...]:
    """Return the numbers of the GPUs that PyTorch may use, as CUDA_VISIBLE_DEVICES limits them;
    none when PyTorch is built for the CPU or DS_ACCELERATOR says so.
    """
    known = os.environ if variables is None else variables
    if known.get("DS_ACCELERATOR") == CPU or _torch_is_for_cpu():
        return ()
    there = sorted(
        int(path.name[6:]) for path in devices.glob("nvidia*") if path.name[6:].isdigit()
    )
    chosen = known.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return tuple(map(str, there))
    names = [word.strip() for word in chosen.split(",") if word.strip() not in ("", "-1")]
    if strange := [name for name in names if not name.isdigit()]:
        raise InvalidValue(
            f"CUDA_VISIBLE_DEVICES names {strange[0]}: DeepSpeed's launcher wants numbers, such as"
            " 0,1 (nvidia-smi -L shows them)"
        )
    return tuple(names)


def read_hostfile(path: Path) -> tuple[Host, ...]:
    """Read DeepSpeed's hostfile, lines of `NAME slots=N`, or raise InvalidValue."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise HiorsError(f"Cannot read the hostfile {path}: {error}") from error
    hosts: list[Host] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        where = f"{path}, line {number}"
        found = re.fullmatch(r"(\S+)\s+slots=(\d+)", text)
        if not found or not int(found[2]):
            raise InvalidValue(
                f"{where}: {text!r} must be a host and how many ranks it runs, as in"
                " 'gpu-server-1 slots=4'"
            )
        if any(host.name == found[1] for host in hosts):
            raise InvalidValue(f"{where}: host {found[1]} is there twice")
        hosts.append(Host(name=found[1], slots=int(found[2])))
    if not hosts:
        raise InvalidValue(f"{path} names no host: a line is such as 'gpu-server-1 slots=4'")
    if not is_here(hosts[0].name):
        raise InvalidValue(
            f"{path}: the first host, {hosts[0].name}, must be this machine"
            f" ({socket.gethostname()}): it reads the episodes and writes the checkpoints"
        )
    return tuple(hosts)


def is_here(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        with socket.create_server((host, 0)):
            return True
    except (OSError, UnicodeError):
        return False


def check_interface(name: str) -> None:
    """Raise InvalidValue unless this machine has such a network interface."""
    known = [name for _, name in socket.if_nameindex()]
    if name not in known:
        raise InvalidValue(f"--interface {name} is not here; there are {', '.join(known)}")


def _torch_is_for_cpu() -> bool:
    try:
        return importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return True
