"""The requests that give a record its old values: its own keys in one, each record that hangs on it in one more."""

from __future__ import annotations

from billy_pipelines.billy.client import BillyClient
from billy_pipelines.billy.errors import BillyError, NotSent, OutcomeUnknown, RateLimited, TokenRefused
from billy_pipelines.schemas.undoing import ChildWork, Restoring, as_sent


async def restore(
    client: BillyClient, endpoint: str, singular: str, record_id: str, work: Restoring, *, permitted: bool
) -> None:
    """Carry it out; the record's own keys in one request, each child in one of its own.

    Raises:
        BillyError: as the client; `OutcomeUnknown` also when a later request could not leave, since earlier ones did.
    """
    sent = False
    try:
        if work.keys:
            await client.update(endpoint, singular, record_id, as_sent(work.keys), permitted=permitted)
            sent = True
        for child in work.children:
            await _restore_child(client, record_id, child, permitted=permitted and not sent)
            sent = True
    except (NotSent, RateLimited, TokenRefused) as error:
        if sent:
            raise OutcomeUnknown(f"{error}", answered=True) from error
        raise
    except OutcomeUnknown:
        raise
    except BillyError as error:
        if sent:
            raise PartlyRestored(f"{error}") from error
        raise


class PartlyRestored(Exception):
    """A part of the old values is back, and Billy refused the rest."""


async def _restore_child(client: BillyClient, record_id: str, work: ChildWork, *, permitted: bool) -> None:
    plural, singular = work.of.plural, work.of.singular
    if work.child_id is None:
        body = {work.of.parent: record_id, **as_sent(work.values or {})}
        await client.create(plural, singular, body, permitted=permitted)
    elif work.values is None:
        await client.delete(plural, work.child_id, permitted=permitted)
    else:
        await client.update(plural, singular, work.child_id, as_sent(work.values), permitted=permitted)
