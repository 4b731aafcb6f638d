"""Removing objects for good: every version and every marker of a deletion, but for what object lock still holds (docs/privacy.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from voc_stream.clients.s3_faults import code_of

_AT_ONCE = 8
_REFUSED = frozenset({"AccessDenied", "403", "InvalidRequest"})


@dataclass(frozen=True, slots=True)
class HeldObject:
    """A version that cannot be removed yet.

    Attributes:
        key: the object's.
        until: when its retention ends; None where a legal hold of S3's has no end.
    """

    key: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed: how many versions, and what is still held."""

    versions: int = 0
    held: tuple[HeldObject, ...] = ()


async def remove_versions(client: Any, bucket: str, keys: Collection[str]) -> Removed:
    """Delete every version of some objects; what is not there counts for nothing.

    Raises:
        ClientError: S3 failed, or refuses for another reason than object lock.
    """
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(key: str) -> Removed:
        async with places:
            return await _remove(client, bucket, key)

    done = await asyncio.gather(*map(one, sorted(set(keys))))
    return Removed(sum(each.versions for each in done), tuple(held for each in done for held in each.held))


async def _remove(client: Any, bucket: str, key: str) -> Removed:
    versions, held = 0, []
    async for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
        for kind in ("Versions", "DeleteMarkers"):
            for found in page.get(kind, ()):
                if found["Key"] != key:
                    continue
                where = {"Bucket": bucket, "Key": key, "VersionId": found["VersionId"]}
                try:
                    await client.delete_object(**where)
                except ClientError as error:
                    if code_of(error) not in _REFUSED or (locked := await _lock(client, where)) is None:
                        raise
                    held.append(locked)
                else:
                    versions += kind == "Versions"
    return Removed(versions, tuple(held))


async def _lock(client: Any, where: dict[str, str]) -> HeldObject | None:
    head = await client.head_object(**where)
    until: datetime | None = head.get("ObjectLockRetainUntilDate")
    on_hold = head.get("ObjectLockLegalHoldStatus") == "ON"
    return HeldObject(where["Key"], None if on_hold else until) if until or on_hold else None
