"""The chart's tests need Helm, and the one against an API server is asked for by name: ``make test-cluster``."""

from __future__ import annotations

import pytest

from tests.chart import tools


def pytest_collection_modifyitems(config, items):
    ours = [item for item in items if item.path.is_relative_to(config.rootpath / "tests" / "chart")]
    reason = tools.missing("helm") if ours else None
    if reason is not None:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))
    if "cluster" not in config.option.markexpr:
        for item in ours:
            if item.get_closest_marker("cluster"):
                item.add_marker(pytest.mark.skip(reason="installs on a real API server: make test-cluster"))
