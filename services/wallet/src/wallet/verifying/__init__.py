"""Checks the ledger and receipts without the service: `python -m wallet.verifying ledger | receipt | key`.

Whoever runs it needs a role that may read (or a receipt alone), the published heads, and the log's verifier
key from somewhere else than here. It believes nothing that the database says of itself: what is sealed is
computed anew from the rows, and what is not sealed is derived anew from what is.
"""
