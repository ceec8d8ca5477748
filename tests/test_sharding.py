"""Rows on several devices, and on several processes: the answers of one device."""

import concurrent.futures
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest


HERE = pathlib.Path(__file__).parent


def start(script, *arguments, devices):
    """A script in a process of its own, for the number of devices is decided when JAX starts."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    root = str(HERE.parent)
    environment = os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": root, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root
    )


def finish(process):
    """Its output, once it has ended well."""
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    return output


def address():
    """Where two processes of this machine can meet."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def both(folder, *parts):
    """Two processes that train together."""
    place = address()
    return [start("lost.py", folder, place, i, *parts, devices=1) for i in range(2)]


@pytest.fixture(scope="module", autouse=True)
def lost(tmp_path_factory):
    """Where two keep checkpoints of which one is killed, and how that ends: the output of the other, both codes and the
    seconds. While the one that is left waits, the rest of this file is run."""
    folder, began = tmp_path_factory.mktemp("lost"), time.monotonic()
    left, killed = both(folder, 3)

    def ended():
        output, _ = left.communicate(timeout=120)
        return output, left.returncode, killed.wait(timeout=10), time.monotonic() - began

    with concurrent.futures.ThreadPoolExecutor(1) as waiting:
        yield folder, waiting.submit(ended)


@pytest.mark.parametrize(
    ("axes", "names"),
    [
        ("automatic", "squared_error,tukey,quantile,logistic,softmax_cross_entropy,gram"),
        ("explicit", "huber,hinge,fit,compiled,compiled fit"),
    ],
)
def test_eight_devices_give_the_answers_of_one(axes, names):
    output = finish(start("sharded.py", axes, names, devices=8))
    assert "8 devices" in output
    assert output.count("agrees") == names.count(",") + 1


def test_two_processes_give_the_answers_of_one():
    place = address()
    processes = [
        start("sharded.py", "explicit", "huber,softmax_cross_entropy,fit", place, i, devices=2) for i in range(2)
    ]
    for output in map(finish, processes):
        assert "4 devices" in output
        assert output.count("agrees") == 3
        assert "illegal targets are refused" in output


def test_a_lost_process_ends_the_fit_and_the_checkpoint_goes_on(lost, tmp_path):
    folder, future = lost
    output, left, killed, duration = future.result(timeout=200)
    assert killed == -signal.SIGKILL, output
    assert left != 0
    assert "process was lost" in output, output
    assert "resume" in output
    assert duration < 60
    whole = [finish(process) for process in both(tmp_path)]
    resumed = [finish(process) for process in both(folder)]
    assert "parts 3,4,5" in resumed[0]
    weights = {output.splitlines()[-1] for output in whole + resumed}
    assert len(weights) == 1
    assert weights.pop().startswith("weights")
