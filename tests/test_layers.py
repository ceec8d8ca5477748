"""Data flows one way. This table is the architecture; the code is checked against it."""

import ast
import pathlib

import pytest


ROOT = pathlib.Path(__file__).parent.parent / "lossopt"
FITTING = {"border", "compiling", "cost", "store", "data", "losses", "mesh", "models", "reductions", "status"}
MAY_IMPORT = {
    "data": set(),
    "models": set(),
    "losses": set(),
    "status": set(),
    "trace": set(),
    "properties": {"losses"},
    "asymptotics": {"losses"},
    "scale": {"losses"},
    "reductions": set(),
    "cost": {"losses", "reductions"},
    "compiling": set(),
    "mesh": {"compiling", "data"},
    "store": set(),
    "border": {"data", "losses", "models"},
    "train": FITTING,
    "solve": FITTING | {"train"},
    "sweep": FITTING | {"solve"},
    "analysis": FITTING | {"train", "solve", "trace"},
    "plots": {"data", "losses", "models", "trace"},
    "report": {"plots", "losses", "trace"},
    "arguments": {"data", "losses"},
    "cli": FITTING | {"analysis", "arguments", "properties", "plots", "report", "solve", "train", "trace"},
}
PUBLIC = {"__init__", "__main__"}


def imported_layers(path: pathlib.Path) -> set[str]:
    """The modules directly under lossopt that a file imports, at its top or inside a function."""
    package = ["lossopt", *path.relative_to(ROOT).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            names = [module] if len(module) > 1 else [[*module, alias.name] for alias in node.names]
            found |= {name[1] for name in names if name[0] == "lossopt" and len(name) > 1}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("lossopt.")}
    return found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    layer = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if layer not in PUBLIC:
        assert imported_layers(path) - {layer, "__version__"} <= MAY_IMPORT[layer]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_what_sits_on_top(path):
    if path.relative_to(ROOT).parts[0] != "__main__.py":
        assert not imported_layers(path) & {"cli", "experiments", "__main__"}


OUTSIDE = {"benchmarks", "experiments", "tests", "jaxopt", "keras", "statsmodels", "torch"}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_the_comparisons_or_the_peers(path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    assert not {name.split(".")[0] for name in named} & OUTSIDE


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_can_be_read_in_one_sitting(path):
    text = path.read_text()
    assert text.count("\n") <= 300
    assert ast.get_docstring(ast.parse(text))
