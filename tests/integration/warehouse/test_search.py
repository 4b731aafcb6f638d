"""The search finds words by its index, and what is not merged yet without it."""

from __future__ import annotations

from tests.voc import call_value, store
from voc_stream.clients.clickhouse import Warehouse
from voc_stream.nlp.topics import COMPLAINT
from voc_stream.services.reading_search import SearchAsked, page_statement
from voc_stream.stages.annotation import Annotation
from voc_stream.stages.searching import Looked

SAID = Annotation(sentiment=-0.5, sentiment_source="rule", topic=COMPLAINT)


async def test_words_are_found_before_and_after_the_merge_that_makes_their_index(warehouse: Warehouse) -> None:
    texts = ("I want my refund", "Where is my router?", "Xin chào quý KHÁCH")
    await store(warehouse, [(call_value(number, call_id=f"c{number}", transcript=text), SAID) for number, text in enumerate(texts, start=1)])
    for text, expected in (("REFUND", ["c1"]), ("my", ["c1", "c2"]), ("khách", ["c3"]), ("refund router", []), ('"my router"', ["c2"])):
        statement, values = page_statement("acme", SearchAsked(text=text), Looked.for_(text), 21)
        assert sorted(row["call_id"] for row in await warehouse.query(statement, values)) == expected
    await warehouse.command("OPTIMIZE TABLE voc_events FINAL")
    statement, values = page_statement("acme", SearchAsked(text="nobody"), Looked.for_("nobody"), 21)
    assert await warehouse.query(statement, values) == []
    plan = "\n".join(row["explain"] for row in await warehouse.query(f"EXPLAIN indexes = 1 {statement}", values))
    # A name in the statement that hides the column would hide it from the index, too.
    assert "transcript_words" in plan
    assert "Granules: 0/" in plan
