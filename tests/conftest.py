"""One profile of Hypothesis: the same examples in every run, and no deadline on a busy machine.

``STREAMS_HYPOTHESIS=default`` looks for new ones.
"""

import os

from hypothesis import settings

settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("STREAMS_HYPOTHESIS", "suite"))
