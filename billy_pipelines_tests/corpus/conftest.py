"""The shared assertions of the corpus explain themselves as those in tests do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("billy_pipelines_tests.corpus.cases")
