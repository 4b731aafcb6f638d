"""The servers of the stack, one file each."""

from __future__ import annotations

from collections.abc import Mapping

from voc_stream.devstack.parts.base import Part
from voc_stream.devstack.parts.clickhouse import ClickHouse
from voc_stream.devstack.parts.kafka import Kafka
from voc_stream.devstack.parts.postgres import Postgres
from voc_stream.devstack.parts.recorder import Recorder
from voc_stream.devstack.parts.s3 import S3
from voc_stream.devstack.parts.scoring import Scoring

PARTS: Mapping[str, type[Part]] = {part.name: part for part in (Kafka, Postgres, S3, ClickHouse, Recorder, Scoring)}
