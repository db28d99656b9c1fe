"""The layers of the design: imports point downwards only, one module owns HTTP, only the shell knows Dagster."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import billy_pipelines

ROOT = Path(billy_pipelines.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
LAYERS = (
    "definitions",
    "defs",
    "cli",
    "host",
    "runs",
    "exports",
    "bulk",
    "files",
    "schemas",
    "billy",
    "database",
    "settings",
)
"""From the top down; a room imports rooms below its own. `cli` stands on `host`, whose programs it starts."""
MAY_KNOW_DAGSTER = ("definitions", "defs", "runs", "host", "cli")


def _room(module: Path) -> str:
    return module.relative_to(ROOT).parts[0].removesuffix(".py")


def _imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _rooms_used(module: Path) -> set[str]:
    return {name.split(".")[1] for name in _imports(module) if name.startswith("billy_pipelines.")}


def _of_others(module: Path) -> set[str]:
    return {name.split(".")[0] for name in _imports(module)}


def test_every_room_has_its_place() -> None:
    assert {_room(module) for module in MODULES} - {"__init__"} == {*LAYERS, "sandbox"}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(ROOT)))
def test_imports_point_downwards(module: Path) -> None:
    room = _room(module)
    if room == "sandbox":
        assert not [name for name in _imports(module) if name.startswith("billy_pipelines.")]
    elif room != "__init__":
        above = LAYERS[: LAYERS.index(room)]
        assert _rooms_used(module).isdisjoint(above)
        assert "sandbox" not in _rooms_used(module) or room == "cli"


def test_one_module_speaks_http_to_billy() -> None:
    of_billy = {str(m.relative_to(ROOT)) for m in MODULES if "httpx" in _of_others(m) and _room(m) != "host"}
    assert of_billy == {"billy/transport.py"}


def test_dagster_stays_in_the_shell() -> None:
    with_dagster = {_room(module) for module in MODULES if "dagster" in _of_others(module)}
    assert with_dagster <= set(MAY_KNOW_DAGSTER)
    assert "defs" in with_dagster


def test_dagsters_internals_stay_in_one_module() -> None:
    using = {
        str(module.relative_to(ROOT))
        for module in MODULES
        if any(name.startswith("dagster._") for name in _imports(module))
    }
    assert using == {"runs.py"}


def test_billy_and_database_know_nothing_of_each_other() -> None:
    for module in MODULES:
        if _room(module) == "billy":
            assert _rooms_used(module) <= {"billy"}
        if _room(module) == "database":
            assert _rooms_used(module) <= {"database", "settings"}
