"""`faust -A voc_stream restrict | restrictions`: legal holds, and calls that must not be scored (docs/privacy.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import click

from voc_stream.clients.journal import RestrictionEntry, restriction_journal
from voc_stream.clients.object_store import ObjectStore
from voc_stream.clients.postgres import Database
from voc_stream.clients.restriction_store import Kind, RestrictionStore, Subject
from voc_stream.dlq import actor
from voc_stream.security.vault import NoKeyError, Vault
from voc_stream.settings import Settings

Echo = Callable[[str], None]

_KINDS: dict[str, Kind] = {"legal-hold": "legal_hold", "do-not-score": "do_not_score"}
OPTIONS = (
    click.argument("what", type=click.Choice(sorted(_KINDS))),
    click.option("--tenant", required=True, help="Whose."),
    click.option("--customer", help="Only this customer: the other party's number as the recorder tells it, or an id that events carry."),
    click.option("--call", help="Only this call."),
    click.option("--reason", default="", help="Why: `forget` and the call's page say so."),
    click.option("--lift", is_flag=True, help="Not any more."),
)


async def restrict(
    settings: Settings,
    echo: Echo,
    *,
    what: Literal["legal-hold", "do-not-score"],
    tenant: str,
    customer: str | None,
    call: str | None,
    reason: str,
    lift: bool,
) -> int:
    """Put a restriction into force, or lift it. Calls that are scored already stay as they are.

    Args:
        settings: POSTGRES_DSN, PII_KEYS, S3_*.
        echo: takes each line of the report.
        what: which.
        tenant: whose.
        customer: one customer only.
        call: one call only.
        reason: the operator's own words, without personal data.
        lift: whether to lift it.

    Returns:
        0; 1 where there was nothing to lift; 2 where the order is not one.

    Raises:
        OutsideError: PostgreSQL or S3 failed, or there is no key for the customer's pseudonym; the same command goes on.
    """
    if customer is not None and call is not None:
        echo("name a customer or a call, not both")
        return 2
    if not lift and not reason.strip():
        echo("say why: --reason")
        return 2
    subject = _subject(settings, tenant, customer, call)
    words = None if lift else reason.strip()[:500]
    entry = RestrictionEntry(_KINDS[what], tenant, subject.scope, subject.subject, words, actor())
    db, objects = Database(settings), ObjectStore(settings)
    try:
        await objects.open()
        store, journal = RestrictionStore(db), restriction_journal(objects)
        # Whatever fails between the two, a database that is restored as it was before keeps too much in force, never too little.
        if words is not None:
            await journal.write(entry, datetime.now(UTC))
            await store.restrict(entry.kind, subject, words, entry.actor)
            echo(f"{what}: {subject.scope} {subject.subject or tenant} of {tenant}")
            return 0
        lifted = await store.lift(entry.kind, subject, entry.actor)
        await journal.write(entry, datetime.now(UTC))
    finally:
        await objects.close()
        await db.close()
    echo(f"{what}: lifted" if lifted else f"{what}: there was none")
    return 0 if lifted else 1


async def restrictions(settings: Settings, echo: Echo) -> int:
    """Tell of what is in force; customers by their pseudonyms.

    Args:
        settings: POSTGRES_DSN.
        echo: takes each line of the report.

    Returns:
        0.

    Raises:
        OutsideError: PostgreSQL failed.
    """
    db = Database(settings)
    try:
        found = await RestrictionStore(db).in_force()
    finally:
        await db.close()
    for each in found:
        subject = f"{each.scope} {each.subject}".strip()
        echo(f"{each.tenant_id}: {each.kind}, {subject}, by {each.set_by} since {each.updated_at:%Y-%m-%d %H:%M:%S}: {each.reason}")
    echo(f"restrictions: in_force={len(found)}")
    return 0


def _subject(settings: Settings, tenant: str, customer: str | None, call: str | None) -> Subject:
    if customer is not None:
        vault = Vault(settings.encryption_keys, settings.pii_key_id)
        if not settings.encryption_keys:
            raise NoKeyError("PII_KEYS is not set: a customer's pseudonym cannot be made")
        return Subject(tenant, "customer", vault.reference(customer, tenant))
    return Subject(tenant, "call", call) if call is not None else Subject(tenant, "tenant", "")
