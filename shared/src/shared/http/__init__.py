"""The HTTP edge: everything an `api.py` needs. It translates; what is allowed is decided below it."""

from shared.http.access import Language, Person, PublicLook, Signed, Tx
from shared.http.content import Body, Day, Name, Text, Whole
from shared.http.paging import Key, Listing, Page, PageQuery
from shared.http.routing import Router, changes_nothing
from shared.http.waiting import Wait, WaitQuery, stay_open

__all__ = [
    "Body",
    "Day",
    "Key",
    "Language",
    "Listing",
    "Name",
    "Page",
    "PageQuery",
    "Person",
    "PublicLook",
    "Router",
    "Signed",
    "Text",
    "Tx",
    "Wait",
    "WaitQuery",
    "Whole",
    "changes_nothing",
    "stay_open",
]
