"""Names that follow from a call."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from voc_stream.stages.keys import call_id_of, inum_of, recording_key, tag_value, transcript_key

LATE = datetime(2026, 11, 22, 23, 30, tzinfo=timezone(timedelta(hours=-2)))


def test_a_key_is_dated_by_the_start_in_utc() -> None:
    assert recording_key("701", LATE) == "raw/2026/11/23/701.wav"
    assert transcript_key("701", "whisper-tiny.en", LATE) == "transcripts/2026/11/23/701_whisper-tiny.en.json"


@pytest.mark.parametrize("call_id", ["", "a/b", "../x", "a b", "a\n", "x" * 33])
def test_what_is_no_call_id_is_no_part_of_a_key(call_id: str) -> None:
    with pytest.raises(ValueError, match="not a call_id"):
        recording_key(call_id, datetime(2026, 1, 1, tzinfo=UTC))


def test_the_name_of_a_model_cannot_leave_its_folder() -> None:
    assert transcript_key("701", "../a b/c", LATE) == "transcripts/2026/11/23/701_.._a_b_c.json"


@pytest.mark.parametrize("recorder_id", ["", "north"])
def test_an_inum_comes_back_from_its_call_id(recorder_id: str) -> None:
    call_id = call_id_of("700-1", recorder_id)
    assert call_id == (f"{recorder_id}-700-1" if recorder_id else "700-1")
    assert inum_of(call_id, recorder_id) == "700-1"


def test_a_tag_holds_what_s3_allows() -> None:
    assert tag_value("O'Neil <x>&y|z") == "O_Neil _x__y_z"
    assert tag_value("a+b-c=d._:/@ 9") == "a+b-c=d._:/@ 9"
    assert len(tag_value("x" * 300)) == 256
