"""What every proof shares: short waits, so that a lost answer costs two seconds."""

import pytest


@pytest.fixture(autouse=True)
def quick(settings):
    settings.COGNITO_TIMEOUT_SECONDS, settings.UNKNOWN_OUTCOME_MARGIN_SECONDS = 2.0, 0.0
