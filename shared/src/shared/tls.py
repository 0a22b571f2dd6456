"""Whom we trust when we call others over HTTPS."""

import ssl
from functools import cache

import httpx


@cache
def tls() -> ssl.SSLContext:
    """Read once in a process: a client that reads all authorities anew takes longer for it than to ask."""
    return httpx.create_ssl_context(trust_env=False)
