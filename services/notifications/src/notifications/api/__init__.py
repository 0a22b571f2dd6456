"""The HTTP API of notifications: a person's inbox and settings. Translates, decides nothing."""

from fastapi import APIRouter

from notifications.api import inbox, me, stream

router = APIRouter()
router.include_router(stream.router)
router.include_router(inbox.router)
router.include_router(me.router)
