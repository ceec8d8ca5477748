"""The README: every snippet runs, and its table is what the cards say."""

import pathlib
import re
import runpy

import jax
import pytest

from lossopt import losses


ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.splitlines()[-1][:40])
def test_snippet_runs(snippet, monkeypatch):
    from lossopt.losses import _register

    # A snippet may register a loss; the register is put back afterwards.
    monkeypatch.setattr(_register, "_REGISTRY", dict(_register._REGISTRY))
    monkeypatch.setattr(_register, "_CARDS", dict(_register._CARDS))
    # As users have it.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})


def test_table_of_losses_is_up_to_date():
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    assert generate["readme"](README) == README


def test_the_pages_of_the_catalogue_are_up_to_date_and_show_every_loss():
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    pages = generate["texts"]()
    shown = []
    for path, text in pages.items():
        assert path.read_text() == text, f"run python docs/generate.py: {path.name} is out of date"
        shown += re.findall(r"^## (\w+)$", text, flags=re.MULTILINE)
        for picture in re.findall(r"\]\((images/[^)]+)\)", text):
            assert (path.parent / picture).exists(), picture
    assert sorted(shown) == sorted(losses.names())
    assert list(generate["USES"]) == [name for name in generate["USES"] if name in losses.names()]


def test_every_picture_and_page_named_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_the_commands_named_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, flags=re.MULTILINE)
