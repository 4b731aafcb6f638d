from __future__ import annotations

import pytest

from voc_stream.scoring.conversation import Conversation, Mood, Span, Speaker, Turn, Word, build_turns
from voc_stream.scoring.items import Judgement, judge
from voc_stream.scoring.rubric import Item, load_rubric

ITEMS: dict[str, Item] = {item.item: item for item in load_rubric().items}
NEED_A_SPEAKER = sorted(set(ITEMS) - {"dead_air", "compliance"})
NEED_WORDS = sorted(set(ITEMS) - {"dead_air", "talk_share", "interruptions"})


def words(text: str, start: float, rate: float = 3.0) -> list[Word]:
    return [Word(word, start + at / rate, start + (at + 0.9) / rate) for at, word in enumerate(text.split())]


def call(
    *lines: tuple[Speaker, float, str],
    talk: dict[Speaker, tuple[Span, ...]] | None = None,
    moods: tuple[float, ...] = (),
    duration: float = 120.0,
) -> Conversation:
    spoken: dict[Speaker, list[Word]] = {"agent": [], "customer": []}
    for speaker, start, text in lines:
        spoken.setdefault(speaker, []).extend(words(text, start))
    turns = build_turns(spoken)
    heard: dict[Speaker, tuple[Span, ...]] = {who: tuple(Span(turn.start, turn.end) for turn in turns if turn.speaker == who) for who in spoken}
    feelings = tuple(Mood(f"sentence {at}", float(at), at + 1.0, score) for at, score in enumerate(moods))
    return Conversation(duration, talk or heard, turns, feelings, transcribed=True)


def judged(name: str, conversation: Conversation) -> Judgement:
    return judge(conversation, ITEMS[name])


class TestApplicable:
    @pytest.mark.parametrize("name", NEED_A_SPEAKER)
    def test_an_item_that_needs_a_speaker_cannot_tell_in_a_mixed_recording(self, name: str) -> None:
        turn = Turn("unknown", tuple(words("hello thank you for calling", 0)))
        mixed = Conversation(60.0, {"unknown": (Span(0, 5),)}, (turn,), transcribed=True)
        answer = judged(name, mixed)
        assert answer.share is None
        assert "mixed in one channel" in answer.detail

    @pytest.mark.parametrize("name", NEED_WORDS)
    def test_an_item_that_needs_words_cannot_tell_without_speech_recognition(self, name: str) -> None:
        answer = judged(name, Conversation(60.0, {"agent": (Span(0, 5),), "customer": (Span(5, 10),)}))
        assert answer.share is None
        assert "without speech recognition" in answer.detail

    @pytest.mark.parametrize("name", sorted(ITEMS))
    def test_a_share_is_between_0_and_1_even_where_nobody_speaks(self, name: str) -> None:
        share = judged(name, Conversation(60.0, {"agent": (), "customer": ()}, transcribed=True)).share
        assert share is None or 0 <= share <= 1


class TestGreeting:
    def test_the_agents_greeting_gives_all_points_with_its_place(self) -> None:
        answer = judged("greeting", call(("agent", 2.0, "Hello, how can I help?")))
        assert answer.share == 1
        assert (answer.evidence[0].quote, answer.evidence[0].start, answer.evidence[0].speaker) == ("Hello,", 2.0, "agent")

    def test_the_customers_greeting_does_not_count(self) -> None:
        assert judged("greeting", call(("customer", 0, "hello hello"), ("agent", 3, "yes?"))).share == 0

    def test_a_greeting_that_comes_late_does_not_count(self) -> None:
        assert judged("greeting", call(("agent", 0, "yes?"), ("agent", 40, "hello"))).share == 0


class TestIdentification:
    @pytest.mark.parametrize(
        ("text", "share"),
        [
            ("Thank you for calling Northwind, my name is Daniel", 1.0),
            ("Hi, this is Travis.", 0.5),
            ("Welcome to Contoso, what can I do?", 0.5),
            ("Yes, what is it?", 0.0),
        ],
    )
    def test_name_and_company_give_half_the_points_each(self, text: str, share: float) -> None:
        assert judged("identification", call(("agent", 0, text))).share == share


class TestCourtesy:
    def test_courtesy_words_are_counted_by_the_minute_of_the_agents_speech(self) -> None:
        minute: dict[Speaker, tuple[Span, ...]] = {"agent": (Span(0, 60),), "customer": (Span(60, 90),)}
        assert judged("courtesy", call(("agent", 0, "please wait thank you"), talk=minute)).share == 1
        assert judged("courtesy", call(("agent", 0, "please wait"), talk=minute)).share == pytest.approx(1 / 1.5)
        assert judged("courtesy", call(("agent", 0, "wait"), ("customer", 60, "please please"), talk=minute)).share == 0


class TestTalkShare:
    @pytest.mark.parametrize(("agent", "share"), [(50, 1.0), (30, 1.0), (65, 1.0), (20, 0.5), (10, 0.0), (95, 0.0)])
    def test_points_by_the_agents_share_of_all_speech(self, agent: float, share: float) -> None:
        answer = judged("talk_share", call(talk={"agent": (Span(0, agent),), "customer": (Span(agent, 100),)}))
        assert answer.share == pytest.approx(share)
        assert f"{agent}%" in answer.detail


class TestDeadAir:
    def test_pauses_of_a_conversation_cost_nothing(self) -> None:
        answer = judged("dead_air", call(talk={"agent": (Span(0, 10), Span(22, 30)), "customer": (Span(12, 20),)}))
        assert (answer.share, answer.evidence) == (1.0, ())

    def test_a_long_silence_costs_points_and_is_shown(self) -> None:
        answer = judged("dead_air", call(talk={"agent": (Span(0, 40),), "customer": (Span(63, 100),)}))
        assert answer.share == pytest.approx((0.30 - 0.20) / 0.25)
        assert (answer.evidence[0].start, answer.evidence[0].end) == (40, 63)

    def test_silence_before_the_first_and_after_the_last_word_does_not_count(self) -> None:
        assert judged("dead_air", call(talk={"agent": (Span(50, 60),), "customer": (Span(60, 70),)})).share == 1

    def test_it_needs_neither_words_nor_speakers(self) -> None:
        assert judged("dead_air", Conversation(60.0, {"unknown": (Span(0, 5), Span(50, 55))})).share == 0


class TestInterruptions:
    def test_speaking_into_the_customers_speech_and_going_on_is_an_interruption(self) -> None:
        talk: dict[Speaker, tuple[Span, ...]] = {"customer": (Span(0, 10),), "agent": (Span(5, 12),)}
        answer = judged("interruptions", call(talk=talk, duration=60.0))
        assert answer.share == pytest.approx((2.0 - 1.0) / 1.7)
        assert answer.evidence[0].start == 5

    @pytest.mark.parametrize(
        "agent",
        [
            pytest.param(Span(5, 5.7), id="a short remark"),
            pytest.param(Span(9.7, 15), id="a start that overlaps the end a little"),
            pytest.param(Span(11, 15), id="after the customer"),
            pytest.param(Span(0.2, 15), id="both begin at once"),
        ],
    )
    def test_what_is_no_interruption(self, agent: Span) -> None:
        assert judged("interruptions", call(talk={"customer": (Span(0, 10),), "agent": (agent,)}, duration=60.0)).share == 1


class TestSpeakingRate:
    @pytest.mark.parametrize(("seconds", "share"), [(40, 1.0), (60, 0.5), (20, 0.0)])
    def test_points_by_words_a_minute(self, seconds: float, share: float) -> None:
        talk: dict[Speaker, tuple[Span, ...]] = {"agent": (Span(0, seconds),), "customer": ()}
        assert judged("speaking_rate", call(("agent", 0, "word " * 90), talk=talk)).share == pytest.approx(share)

    def test_a_few_words_tell_no_rate(self) -> None:
        assert judged("speaking_rate", call(("agent", 0, "hello there"))).share is None


class TestCustomerSentiment:
    def test_a_customer_who_ends_happy_gives_all_points(self) -> None:
        assert judged("customer_sentiment", call(moods=(-0.5, -0.5, 0, 0, 0.5, 0.5))).share == 1

    def test_a_customer_who_ends_angry_gives_none(self) -> None:
        assert judged("customer_sentiment", call(moods=(0.5, 0.5, 0, 0, -0.5, -0.5))).share == 0

    def test_the_strongest_sentence_of_each_end_is_the_evidence(self) -> None:
        answer = judged("customer_sentiment", call(moods=(-0.1, -0.5, 0, 0, 0.6, 0.1)))
        assert [one.quote for one in answer.evidence] == ["sentence 1", "sentence 4"]

    def test_a_few_sentences_tell_no_mood(self) -> None:
        assert judged("customer_sentiment", call(moods=(0.5, 0.5, 0.5))).share is None


class TestClosing:
    def test_the_agents_farewell_at_the_end_gives_all_points(self) -> None:
        assert judged("closing", call(("agent", 0, "hello"), ("agent", 100, "Is there anything else? Have a nice day!"))).share == 1

    def test_a_farewell_in_the_middle_does_not_count(self) -> None:
        assert judged("closing", call(("agent", 0, "bye"), ("customer", 100, "are you there"))).share == 0


class TestCompliance:
    @pytest.mark.parametrize("speaker", ["agent", "customer", "unknown"])
    def test_the_notice_counts_whoever_says_it(self, speaker: Speaker) -> None:
        turn = Turn(speaker, tuple(words("This call may be recorded for quality.", 3)))
        answer = judged("compliance", Conversation(60.0, {"unknown": (Span(0, 5),)}, (turn,), transcribed=True))
        assert answer.share == 1
        assert "recorded" in answer.evidence[0].quote

    def test_a_notice_that_comes_late_does_not_count(self) -> None:
        assert judged("compliance", call(("agent", 0, "hello"), ("agent", 90, "this call is recorded"))).share == 0
