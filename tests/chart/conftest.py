"""The chart's tests need Helm, and the one against an API server is asked for by name: ``make test-cluster``."""

from __future__ import annotations

import pytest

from tests.chart import tools


def pytest_collection_modifyitems(items):
    ours = [item for item in items if item.path.is_relative_to(item.config.rootpath / "tests" / "chart")]
    reason = tools.missing("helm") if ours else None
    if reason is not None:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))
