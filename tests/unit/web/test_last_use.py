"""When something was last used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from voc_stream.errors import OutageError
from voc_stream.web.last_use import LastUse

BEGIN = datetime(2026, 11, 22, 8, tzinfo=UTC)


class Book:
    def __init__(self) -> None:
        self.now = BEGIN
        self.written: list[dict[str, datetime]] = []
        self.down = False
        self.uses: LastUse[str] = LastUse(self.write, lambda: self.now)

    async def write(self, times: dict[str, datetime]) -> None:
        if self.down:
            raise OutageError("postgres", "down")
        self.written.append(dict(times))


async def test_a_use_is_written_once_a_minute_at_most_and_the_newest_counts() -> None:
    book = Book()
    for second in range(180):
        book.now = BEGIN + timedelta(seconds=second)
        book.uses.note("a")
        if second % 5 == 0:
            await book.uses.flush()
    assert [(times["a"] - BEGIN).seconds for times in book.written] == [0, 60, 120]


async def test_what_could_not_be_written_is_written_later_and_known_meanwhile() -> None:
    book = Book()
    book.down = True
    book.uses.note("a")
    await book.uses.flush()
    assert book.uses.latest("a", BEGIN - timedelta(hours=1)) == BEGIN
    book.down, book.now = False, BEGIN + timedelta(seconds=10)
    book.uses.note("a")
    await book.uses.flush()
    assert book.written == [{"a": BEGIN + timedelta(seconds=10)}]


async def test_what_another_process_wrote_counts_too() -> None:
    book = Book()
    book.uses.note("a")
    assert book.uses.latest("a", BEGIN + timedelta(hours=1)) == BEGIN + timedelta(hours=1)
    assert book.uses.latest("b", BEGIN) == BEGIN


async def test_nothing_is_kept_of_what_was_written_long_ago() -> None:
    book = Book()
    book.uses.note("a")
    await book.uses.flush()
    book.now = BEGIN + timedelta(minutes=2)
    await book.uses.flush()
    assert not book.uses._written
    assert len(book.written) == 1
