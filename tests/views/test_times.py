"""Times: relative words, with the absolute time beside them for whoever asks."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils import timezone as now_in

from clients.models import Secret, SecretState
from clients.templatetags.portal import ago, life, utc

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


# --- A secret's life -------------------------------------------------------------------------------


def lived(days, of, state=SecretState.CURRENT):
    made = now_in.now() - timedelta(days=days, minutes=1)
    ends = made + timedelta(days=of) if of else None
    return life(Secret(state=state, ending="7Kq2", created_at=made, expires_at=ends))


@pytest.mark.parametrize(
    ("days", "of", "state", "tone", "used", "words"),
    [
        (58, 180, "current", "", "32", "32% of its lifetime used"),
        (177, 180, "current", "warn", "98", "98% of its lifetime used"),
        (180, 180, "current", "bad", "100", "Its lifetime is over"),
        (400, 365, "current", "bad", "100", "Its lifetime is over"),
        (0, 180, "new", "move", "0", "0% of its lifetime used"),
        (9, 180, "retiring", "warn", "5", "5% of its lifetime used"),
    ],
)
def test_life_of_a_secret_is_drawn_as_a_part_of_the_whole(days, of, state, tone, used, words):
    drawn = lived(days, of, SecretState(state))
    assert f'<svg class="life {tone}" ' in drawn and f'aria-label="{words}"' in drawn
    assert f'<rect class="used" width="{used}" height="4"/>' in drawn and "style=" not in drawn


def test_life_without_an_end_has_no_bar_and_tells_no_end():
    drawn = lived(58, None)
    assert "svg" not in drawn and "Ends" not in drawn and ">58 days</time>" in drawn and "7Kq2" in drawn


def test_life_tells_in_utc_from_when_until_when():
    drawn = life(
        Secret(state="current", ending="7Kq2", created_at=MOMENT, expires_at=datetime(2099, 1, 31, tzinfo=UTC))
    )
    assert drawn.startswith('<span class="when lived" tabindex="0">')
    assert drawn.endswith(" Made 20 Nov 2026, 13:05:07 UTC<br>Ends 31 Jan 2099, 00:00:00 UTC</span></span>")
    assert "<br>Ended " in lived(181, 180)


def test_life_that_began_just_now_does_not_count_seconds():
    secret = Secret(state="current", ending="7Kq2", created_at=now_in.now() + timedelta(seconds=1))
    assert ">just now</time>" in life(secret)
