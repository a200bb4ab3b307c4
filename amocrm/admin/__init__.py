"""The ledger and the account's state for operators.

What is shown here is the mechanism that keeps one lead per person: nobody edits it by hand. What
there is to decide has a page or an action of its own.
"""

from amocrm.admin import account, duplicates, ignored, people, proposals

__all__ = ["account", "duplicates", "ignored", "people", "proposals"]
