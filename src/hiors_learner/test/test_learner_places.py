# SPDX-License-Identifier: Apache-2.0
"""Where ranks run: GPUs for learning and inference, hosts of a file, networks."""

import socket
from itertools import pairwise
from pathlib import Path

import pytest

from hiors_core.errors import HiorsError, InvalidValue
from hiors_learner import places
from hiors_learner.launch import command, environment
from hiors_learner.places import Host, Layout, layout, place, read_hostfile, visible_gpus


@pytest.mark.parametrize(
    ("gpus", "ranks", "learners", "inference"),
    [
        ("", None, "", "cpu"),
        ("0", None, "0", "0"),
        ("0 1", None, "1", "0"),
        ("0 1 2 3", None, "1 2 3", "0"),
        ("2 5 7", None, "5 7", "2"),
        ("0 1 2 3", 2, "2 3", "0"),
        ("0 1 2 3", 4, "0 1 2 3", "0"),
    ],
)
def test_one_gpu_serves_inference_and_the_others_learn(
    gpus: str, ranks: int | None, learners: str, inference: str
):
    found = layout(gpus.split(), ranks)
    assert (found.learners, found.inference) == (tuple(learners.split()), inference)
    assert found.ranks == max(1, len(found.learners))


def test_the_cpu_takes_as_many_ranks_as_asked_for():
    assert layout((), 3) == Layout(ranks=3)


@pytest.mark.parametrize(
    ("ranks", "message"),
    [(0, "at least 1, got 0"), (3, r"3 needs as many GPUs, and 2.*ask for 1")],
)
def test_ranks_that_cannot_be_are_refused(ranks: int, message: str):
    with pytest.raises(InvalidValue, match=message):
        layout(("0", "1"), ranks)


@pytest.fixture
def four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "_torch_is_for_cpu", lambda: False)
    for name in ("nvidia0", "nvidia1", "nvidia2", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        ({}, ("0", "1", "2", "10")),
        ({"CUDA_VISIBLE_DEVICES": "2, 0"}, ("2", "0")),
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, ()),
        ({"DS_ACCELERATOR": "cpu"}, ()),
    ],
)
def test_the_visible_gpus_are_found(four: Path, variables: dict, seen: tuple[str, ...]):
    assert visible_gpus(variables, four) == seen


def test_gpus_that_the_launcher_cannot_name_are_refused(four: Path):
    with pytest.raises(InvalidValue, match=r"names GPU-8a.*wants numbers, such as 0,1"):
        visible_gpus({"CUDA_VISIBLE_DEVICES": "GPU-8a"}, four)


def hostfile(folder: Path, text: str) -> Path:
    path = folder / "hosts"
    path.write_text(text)
    return path


def test_a_hostfile_is_read(tmp_path: Path):
    path = hostfile(tmp_path, "# ours\nlocalhost slots=2\n\nother   slots=8\n")
    assert read_hostfile(path) == (Host(name="localhost", slots=2), Host(name="other", slots=8))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no host: a line is such as"),
        ("localhost\n", r"line 1: 'localhost' must be a host and how many ranks"),
        ("localhost slots=0\n", "line 1"),
        ("localhost slots=-1\n", "line 1"),
        ("localhost slots=2 # two\n", "line 1"),
        ("# x\nlocalhost slots=1\nlocalhost slots=2\n", "line 3: host localhost is there twice"),
        ("203.0.113.7 slots=1\n", r"first host, 203\.0\.113\.7, must be this machine"),
    ],
)
def test_a_wrong_hostfile_is_refused_with_its_line(tmp_path: Path, text: str, message: str):
    with pytest.raises(InvalidValue, match=message):
        read_hostfile(hostfile(tmp_path, text))


def test_a_hostfile_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(HiorsError, match=r"Cannot read the hostfile .*none"):
        read_hostfile(tmp_path / "none")


def test_other_machines_need_a_network_that_is_named(tmp_path: Path):
    path = hostfile(tmp_path, "localhost slots=1\nother slots=1\n")
    with pytest.raises(InvalidValue, match=r"names other machines: give --interface"):
        place((), hostfile=path)
    with pytest.raises(InvalidValue, match=r"eth77 is not here; there are .*lo"):
        place((), hostfile=path, interface="eth77")
    with pytest.raises(InvalidValue, match="is for other machines"):
        place((), interface="lo")
    with pytest.raises(InvalidValue, match=r"--ranks or --hostfile"):
        place((), ranks=2, hostfile=path)


def options(words: list[str]) -> dict[str, str]:
    """Return the launcher's options that have a value."""
    own = words[: words.index("--no_local_rank")]
    return {a: b for a, b in pairwise(own) if a.startswith("--")}


def test_without_a_hostfile_all_stays_on_the_loopback():
    said = options(command([], place((), ranks=2)))
    assert (said["--num_accelerators"], said["--master_addr"]) == ("2", "127.0.0.1")
    assert environment({}, place(()))["GLOO_SOCKET_IFNAME"] == "lo"


def test_gpus_are_named_to_the_launcher():
    found = place(("0", "1", "2"))
    assert options(command([], found))["--include"] == "localhost:1,2"
    assert environment({}, found)["DS_ACCELERATOR"] == "cuda"


def test_a_hostfile_reaches_the_launcher(tmp_path: Path):
    here = socket.gethostname()
    path = hostfile(tmp_path, f"{here} slots=2\nother slots=2\n")
    found = place((), hostfile=path, interface="lo")
    said = options(command([], found))
    assert (said["--hostfile"], said["--master_addr"]) == (str(path), here)
    assert not {"--num_accelerators", "--include", "--exclude"} & set(said)
    assert found.accelerator == "cpu"


def test_the_first_gpu_of_the_first_host_is_left_to_inference(tmp_path: Path):
    path = hostfile(tmp_path, "localhost slots=4\n")
    words = command([], place(("0", "1", "2", "3"), hostfile=path))
    assert options(words)["--exclude"] == "localhost:0"
    assert "--no_ssh_check" in words
    with pytest.raises(InvalidValue, match=r"slots=4, and 2 GPUs are visible"):
        place(("0", "1"), hostfile=path)
