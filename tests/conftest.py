"""What every test shares."""

from __future__ import annotations

from hypothesis import settings

# No deadline: a test runs on real files beside others, and a slow disk is no fault. print_blob: a failure found in CI
# can be repeated elsewhere.
settings.register_profile("ci", deadline=None, derandomize=False, print_blob=True)
settings.load_profile("ci")
