"""An amoCRM account that lives in memory and answers over HTTP, for development and tests.

It behaves as the real one is documented and measured to behave, the unpleasant parts
included. Nothing here imports Django: ``python -m amocrm.sandbox`` starts at once.
"""
