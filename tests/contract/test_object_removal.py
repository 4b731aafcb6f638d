"""Removing objects for good on an S3 server: every version goes, and what object lock holds is named with the day until which it does."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from voc_stream.clients.object_removal import HeldObject
from voc_stream.clients.object_store import ObjectStore
from voc_stream.settings import Settings

UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


@pytest.fixture
async def store(s3_server: str) -> AsyncIterator[ObjectStore]:
    """A store in a new bucket with object lock, which brings versions with it."""
    name = f"locked-{uuid.uuid4().hex[:12]}"
    made = ObjectStore(Settings(s3_endpoint_url=s3_server, s3_access_key_id="key", s3_secret_access_key=SecretStr("secret"), s3_bucket=name))
    await made.open()
    await made._client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    yield made
    await made.close()


async def put(store: ObjectStore, key: str) -> None:
    await store.put_bytes(key, b"RIFF", content_type="audio/wav", metadata={}, tags={})


def where(store: ObjectStore, key: str) -> dict[str, Any]:
    return {"Bucket": store._settings.s3_bucket, "Key": key}


async def test_every_version_goes_and_what_only_begins_alike_stays(store: ObjectStore) -> None:
    for _ in range(3):
        await put(store, "raw/1.wav")
    await put(store, "raw/1.wav.json")
    await store._client.delete_object(**where(store, "raw/1.wav"))
    removed = await store.delete_versions({"raw/1.wav", "raw/nothing.wav"})
    assert (removed.versions, removed.held) == (3, ())
    listed = await store._client.list_object_versions(Bucket=store._settings.s3_bucket)
    assert [found["Key"] for found in listed["Versions"]] == ["raw/1.wav.json"]
    assert listed.get("DeleteMarkers", []) == []


async def test_what_object_lock_holds_is_told_with_its_day_and_the_rest_goes(store: ObjectStore) -> None:
    await put(store, "raw/1.wav")
    await put(store, "raw/2.wav")
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": UNTIL}
    await store._client.put_object_retention(**where(store, "raw/1.wav"), Retention=retention)
    removed = await store.delete_versions({"raw/1.wav", "raw/2.wav"})
    assert (removed.versions, removed.held) == (1, (HeldObject("raw/1.wav", UNTIL),))
    assert await store.head("raw/1.wav") is not None
    assert await store.head("raw/2.wav") is None


async def test_a_legal_hold_of_s3_has_no_day(store: ObjectStore) -> None:
    await put(store, "raw/1.wav")
    await store._client.put_object_legal_hold(**where(store, "raw/1.wav"), LegalHold={"Status": "ON"})
    assert (await store.delete_versions({"raw/1.wav"})).held == (HeldObject("raw/1.wav", None),)
