"""All that people read, in one place: made of the databases and the object store, for the API and for the pages."""

from __future__ import annotations

from voc_stream.clients.clickhouse_client import ClickHouse
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.services.originals import Originals
from voc_stream.services.reading_agents import AgentsReading
from voc_stream.services.reading_alerts import AlertsReading
from voc_stream.services.reading_call import CallReading
from voc_stream.services.reading_calls import CallsReading
from voc_stream.services.reading_overview import OverviewReading
from voc_stream.services.reading_search import SearchReading
from voc_stream.services.reading_timeline import TimelineReading


class Readings:
    """Each subject's readings; a tenant is the first argument of every method.

    Args:
        db: PostgreSQL, for reading (`voc_stream.clients.reader`).
        warehouse: ClickHouse.
        objects: S3.
        originals: where transcripts lie as they were said.
    """

    def __init__(self, db: Database, warehouse: ClickHouse, objects: ObjectStore, originals: Originals) -> None:
        self.calls = CallsReading(db)
        self.call = CallReading(db, objects, originals)
        self.timeline = TimelineReading(db)
        self.overview = OverviewReading(db)
        self.agents = AgentsReading(db)
        self.alerts = AlertsReading(db)
        self.search = SearchReading(warehouse, db)
