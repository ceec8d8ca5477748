"""Every mistake of `bad_input.py` is answered by one clear sentence that names the cause and the remedy."""

import json
import pathlib
import subprocess
import sys

import pytest
from bad_input import MISTAKES


@pytest.fixture(scope="module")
def answers():
    script = pathlib.Path(__file__).with_name("bad_input.py")
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered(mistake, answers):
    _, error, cause, remedy = MISTAKES[mistake]
    kind, message = answers[mistake]
    assert kind == error.__name__
    assert cause.lower() in message.lower()
    assert remedy in message
    assert "\n" not in message
    assert len(message) < 400
