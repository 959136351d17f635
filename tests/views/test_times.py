"""Times: relative words, with the absolute time beside them for whoever asks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils import timezone as now_in

from clients.templatetags.portal import ago, utc

MOMENT = datetime(2026, 11, 20, 13, 5, 7, tzinfo=UTC)


@pytest.mark.parametrize("moment", [MOMENT, MOMENT.astimezone(timezone(timedelta(hours=5)))])
def test_time_can_be_focused_and_holds_its_utc(moment):
    drawn = ago(moment)
    assert drawn.startswith('<span class="when" tabindex="0"><time datetime="2026-11-20T13:05:07+00:00">')
    assert drawn.endswith('<span class="tip"> 20 Nov 2026, 13:05:07 UTC</span></span>') and "title=" not in drawn


@pytest.mark.parametrize(
    ("away", "words"),
    [
        (timedelta(seconds=-1), "just now"),
        (timedelta(minutes=-5), "5 min ago"),
        (timedelta(days=-1, hours=-3), "1 day ago"),
        (timedelta(hours=2, seconds=9), "in 2 h"),
        (timedelta(days=21, seconds=9), "in 21 days"),
    ],
)
def test_time_is_told_in_relative_words(away, words):
    assert f">{words}</time>" in ago(now_in.now() + away)


def test_time_that_never_was_is_a_word():
    assert (ago(None), ago(None, "Never used"), utc(None, "No end")) == ("Never", "Never used", "No end")
