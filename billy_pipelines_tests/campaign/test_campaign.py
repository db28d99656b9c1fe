"""Twenty histories of the fault campaign, quick ones; `make campaign` plays 500.

`python -m billy_pipelines_tests.campaign --seeds N` replays one that fails.
"""

from __future__ import annotations

import pytest

from billy_pipelines_tests.campaign.generate import described, make_history
from billy_pipelines_tests.campaign.play import play
from billy_pipelines_tests.campaign.stage import Stage

SEEDS = (1, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14, 15, 18, 19, 20, 21, 26, 27, 34, 60)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_each_row_is_done_once_and_told_truly(seed: int, stage: Stage) -> None:
    history = make_history(seed)
    played = play(history, stage)
    violations = "\n".join(f"{violation.kind}: {violation.text}" for violation in played.violations)
    assert not played.violations, f"{described(history)}\n{violations}"
    assert played.verdicts.total() == history.rows


def test_a_seed_is_a_history() -> None:
    assert make_history(17) == make_history(17)
    assert make_history(17) != make_history(18)
