"""Rows on several devices, and on several processes: the answers of one device."""

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


@pytest.mark.parametrize(
    ("axes", "names"),
    [
        ("automatic", "squared_error,tukey,quantile,logistic,softmax_cross_entropy,gram"),
        ("explicit", "huber,hinge,fit"),
    ],
)
def test_eight_devices_give_the_answers_of_one(axes, names):
    output = finish(start("sharded.py", axes, names, devices=8))
    assert "8 devices" in output
    assert output.count("agrees") == names.count(",") + 1


def test_two_processes_give_the_answers_of_one():
    place = address()
    processes = [start("sharded.py", "automatic", "huber,fit", place, i, devices=2) for i in range(2)]
    for output in map(finish, processes):
        assert "4 devices" in output
        assert output.count("agrees") == 2
        assert "illegal targets are refused" in output


def test_a_lost_process_ends_the_fit_and_the_checkpoint_goes_on(tmp_path):
    def both(folder, *parts):
        place = address()
        return [start("lost.py", tmp_path / folder, place, i, *parts, devices=1) for i in range(2)]

    left, killed = both("lost", 3)
    began = time.monotonic()
    # While the loss is waited for, the cores have nothing to do.
    whole = [finish(process) for process in both("whole")]
    output, _ = left.communicate(timeout=120)
    killed.wait(timeout=10)
    assert killed.returncode == -signal.SIGKILL, killed.communicate()[0]
    assert left.returncode != 0
    assert "process was lost" in output, output
    assert "resume" in output
    assert time.monotonic() - began < 60
    resumed = [finish(process) for process in both("lost")]
    assert "parts 3,4,5" in resumed[0]
    weights = {output.splitlines()[-1] for output in whole + resumed}
    assert len(weights) == 1
    assert weights.pop().startswith("weights")
