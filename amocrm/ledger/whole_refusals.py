"""Whether this account refuses a batch of leads whole when one row of it is wrong.

amoCRM names the rows that are wrong, and every client takes it that nothing of the batch was done.
No page says so. So what became of the others is unknown, as after a lost answer, until it was
seen: their claims stand, and what reconciling finds tells it for all later batches.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from amocrm.log_context import get_logger
from amocrm.models import AccountBatches

logger = get_logger(__name__)

MOST_DOUBTED = 200


def are_whole(account: str) -> bool:
    """Whether they were seen to be, and never otherwise."""
    return AccountBatches.objects.filter(account=account, refuses_whole=True).exists()


def doubt(account: str, references: Iterable[str]) -> None:
    """A batch was refused in which amoCRM found nothing wrong with these."""
    with transaction.atomic():
        row = _locked(account)
        row.doubted = [*row.doubted, *references][-MOST_DOUBTED:]
        row.save(update_fields=["doubted"])


def learn(account: str, creating_ref: str, *, was_made: bool) -> None:
    """What became of a claim of which nobody knew. One lead that was made is enough to know that
    the account refuses no batch whole; that one was not made says so only where nothing else
    was seen before."""
    reference = creating_ref.partition("/")[0]
    rows = AccountBatches.objects.filter(account=account)
    if reference not in (rows.values_list("doubted", flat=True).first() or ()):
        return
    with transaction.atomic():
        row = _locked(account)
        if reference not in row.doubted:
            return
        row.doubted = [one for one in row.doubted if one != reference]
        before = row.refuses_whole
        row.refuses_whole = not was_made and before is not False
        row.save(update_fields=["doubted", "refuses_whole"])
    if row.refuses_whole != before:
        logger.warning(
            "📦 amoCRM refuses a batch with a wrong row %s",
            "whole" if row.refuses_whole else "in part: what it does not name is looked for",
        )


def _locked(account: str) -> AccountBatches:
    AccountBatches.objects.get_or_create(account=account)
    return AccountBatches.objects.select_for_update().get(account=account)
