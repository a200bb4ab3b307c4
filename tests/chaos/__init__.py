"""The service under faults, in real processes, judged by what is in the CRM at the end.

``python -m tests.chaos`` (``make chaos``) is the long run; the tests beside it are its bounded
part. :mod:`~tests.chaos.population` decides who sends what, :mod:`~tests.chaos.storm` sends it
through :mod:`~tests.chaos.stack` while :mod:`~tests.chaos.crm_faults` and
:mod:`~tests.chaos.process_faults` strike, :mod:`~tests.chaos.judge` counts.

The harness changes the service's database in one way only, as an operator would who does not
want to wait (:meth:`tests.chaos.rows.Rows.hurry`, :meth:`~tests.chaos.rows.Rows.probe_now`).
"""
