"""One profile of Hypothesis, and which tests count for coverage.

``STREAMS_HYPOTHESIS=default`` looks for new examples; without it they are the same in every run, and no deadline
hurries a busy machine.
"""

import os

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("STREAMS_HYPOTHESIS", "suite"))

#: Rooms of long runs. To trace them would double their time, and a line that only they reach has no test of its own.
LONG = {"broker", "evaluation", "fuzz", "report", "simulation"}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name in LONG:
            item.add_marker(pytest.mark.no_cover)
