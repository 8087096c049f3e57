"""Tests of minutes, left out of CI: ``DASKID_THOROUGH=1 pytest tests/cluster`` runs them."""

import os

import pytest

thorough = pytest.mark.skipif(
    "DASKID_THOROUGH" not in os.environ, reason="takes minutes: DASKID_THOROUGH=1 runs it"
)
