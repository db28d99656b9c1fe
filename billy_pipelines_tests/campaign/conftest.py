"""The stage the campaign's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billy_pipelines_tests.campaign.stage import Stage


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with Stage(tmp_path_factory.mktemp("campaign")) as stage:
        yield stage
