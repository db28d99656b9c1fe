"""`billy up` and other commands on a data folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from billy_pipelines.sandbox import SandboxServer
from billy_pipelines.settings import Settings
from billy_pipelines_tests.product import Billy, end_everything, settings_for

Start = Callable[..., Billy]


@pytest.fixture
def host_settings(tmp_path: Path, sandbox: SandboxServer) -> Settings:
    """A data folder with a blank and a Danish letter in its path, and the sandbox in Billy's place."""
    (tmp_path / "på disk").mkdir()
    return settings_for(tmp_path / "på disk" / "data", sandbox)


@pytest.fixture
def billy(host_settings: Settings) -> Iterator[Start]:
    """Start `billy` commands on `host_settings`."""
    started: list[Billy] = []

    def start(*arguments: str, ignore_interrupt: bool = False) -> Billy:
        started.append(Billy(host_settings, *arguments, ignore_interrupt=ignore_interrupt))
        return started[-1]

    yield start
    end_everything(host_settings, started)
