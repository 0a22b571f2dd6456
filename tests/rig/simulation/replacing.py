"""Puts the simulation's storage in the place of the services' own, function by function, and back again."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uuid_utils.compat

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGES = ("shared", "enrollment", "clubs", "wallet", "notifications")
_instead: dict[Any, Any] = {}


def instead_of(original: Function) -> Callable[[Function], Function]:
    """This function is called wherever the services call that one; the type checker compares the two."""

    def register(stand_in: Function) -> Function:
        _instead[original] = stand_in
        return stand_in

    return register


@contextmanager
def replaced(new_id: Callable[[], Any]) -> Iterator[None]:
    """Within the block services work on the simulation's storage, and ids are made by `new_id`."""
    before: list[tuple[Any, str, Any]] = [(uuid_utils.compat, "uuid7", uuid_utils.compat.uuid7)]
    setattr(uuid_utils.compat, "uuid7", new_id)  # noqa: B010 - no uuid7 takes what it takes
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES and module is not None:
            for attribute, value in list(vars(module).items()):
                if callable(value) and _known(value):
                    before.append((module, attribute, value))
                    setattr(module, attribute, _instead[value])
    try:
        yield
    finally:
        for module, attribute, value in before:
            setattr(module, attribute, value)


def _known(value: object) -> bool:
    try:
        return value in _instead
    except TypeError:  # not hashable: none of ours
        return False
