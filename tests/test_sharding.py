"""Rows on several devices, and on several processes: the answers of one device."""

import os
import pathlib
import socket
import subprocess
import sys

import pytest


SCRIPT = pathlib.Path(__file__).parent / "sharded.py"


def start(*arguments, devices):
    """The script in a process of its own, for the number of devices is decided when JAX starts."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    root = str(SCRIPT.parent.parent)
    environment = os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": root, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=root
    )


def finish(process):
    """Its output, once it has ended well."""
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    return output


@pytest.mark.parametrize(
    ("axes", "names"),
    [("automatic", "squared_error,tukey,quantile,logistic,softmax_cross_entropy"), ("explicit", "huber,hinge,fit")],
)
def test_eight_devices_give_the_answers_of_one(axes, names):
    output = finish(start(axes, names, devices=8))
    assert "8 devices" in output
    assert output.count("agrees") == names.count(",") + 1


def test_two_processes_give_the_answers_of_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [start("automatic", "huber,fit", address, i, devices=2) for i in range(2)]
    for output in map(finish, processes):
        assert "4 devices" in output
        assert output.count("agrees") == 2
        assert "illegal targets are refused" in output
