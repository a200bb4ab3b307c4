"""One lock per person, kept in Redis by python-redis-lock.

The lock serialises deliveries and is what operators see; that one person has one lead is
promised by the ledger, not by the lock. Everything here holds under that.

- :mod:`~amocrm.locks.guard` takes a lock, extends it and lets it go;
- :mod:`~amocrm.locks.inventory` lists the locks, :mod:`~amocrm.locks.clearing` removes them;
- :mod:`~amocrm.locks.history` remembers what happened, :mod:`~amocrm.locks.stats` sums it up;
- :mod:`~amocrm.locks.health` says whether Redis can be relied on.
"""
