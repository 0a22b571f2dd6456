"""Where the story is told: performs a step, prints what a person wants to read, notes what went wrong."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from rich.console import Console

from local.client import Answer, Client, Person
from local.errors import LocalError
from local.layout import Layout
from local.story.inboxes import Inboxes
from local.story.observer import Observer, Seen

_NARROW = "\u202f"


def tenge(tiyn: int) -> str:
    """`14 423.07 ₸`."""
    return f"{tiyn // 100:,}".replace(",", _NARROW) + f".{tiyn % 100:02}{_NARROW}₸"


@dataclass(slots=True)
class Cast:
    """Ids of what the seeds planted, as people find them, and of what comes up during the story."""

    program: str = ""
    funds: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By mode."""
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By direction."""
    children: dict[int, str] = field(default_factory=dict)
    enrollments: dict[int, dict[str, Any]] = field(default_factory=dict)
    """As last seen, by the child's number."""
    providers: dict[int, str] = field(default_factory=dict)
    cases: dict[int, str] = field(default_factory=dict)
    """By the child's number."""
    payouts: list[dict[str, Any]] = field(default_factory=list)
    """The orders of the first run of the foundation's fund: those with the most to tell."""


@dataclass(slots=True)
class Stage:
    """What every step works with."""

    console: Console
    system: Layout
    client: Client
    observer: Observer
    inboxes: Inboxes
    cast: Cast = field(default_factory=Cast)
    _number: int = 0
    _wrong: list[int] = field(default_factory=list)

    def guardian(self, number: int) -> Person:
        return self.client.person(f"guardian-{number}")

    def administrator(self, number: int = 1) -> Person:
        return self.client.person(f"administrator-{number}")

    async def perform(self, step: "Step") -> bool:
        """Tell one step; whether the story can go on."""
        self._number += 1
        sentence = " ".join((step.__doc__ or step.__name__).split())
        self.console.print(f"\n[bold]{self._number:2}. {sentence}[/]")
        started = time.monotonic()
        try:
            await step(self)
        except (LocalError, httpx.HTTPError, LookupError, TypeError) as error:  # or an answer lacks something
            self._fail(f"{type(error).__name__}: {error}")
            self.say("The story ends here; social-wallet logs NAME may tell why.")
            return False
        self.console.print(f"    [dim]{time.monotonic() - started:.2f} s[/]")
        return True

    def say(self, text: str) -> None:
        self.console.print(f"    {text}", highlight=False, markup=False)

    def check(self, what: str, actual: object, expected: object) -> None:
        """Say what is so, or what should have been."""
        self._note(what, so=actual == expected, otherwise=f"expected {expected!r}, but it is {actual!r}")

    def check_money(self, what: str, actual: int, expected: int) -> None:
        """The same for an amount in tiyn, which is printed."""
        self.check(f"{what}: {tenge(actual)}", actual, expected)

    def check_within(self, what: str, seconds: float, limit: float) -> None:
        """The same for how long something took."""
        self._note(
            f"{what} after {seconds:.2f} s", so=seconds < limit, otherwise=f"expected within {limit:.2f} s"
        )

    def _note(self, what: str, *, so: bool, otherwise: str) -> None:
        if so:
            self.console.print(f"    [green]✓[/] {what}", highlight=False)
        else:
            self._fail(f"{what}: {otherwise}")

    def _fail(self, text: str) -> None:
        self.console.print("    [bold red]✗[/] ", end="")
        self.console.print(text, highlight=False, markup=False)
        if self._number not in self._wrong:
            self._wrong.append(self._number)

    async def events(self, answer: Answer, *expected: str) -> list[Seen]:
        """Show what followed from a request, and check that it is this, in this order."""
        found = await self.observer.following(answer.correlation_id, expected)
        names = [event.name for event in found]
        self.check(f"events: {' → '.join(names)}", names, list(expected))
        return found

    async def told(self, number: int, *kinds: str) -> Sequence[dict[str, Any]]:
        """Show what came into a guardian's inbox last, and check all that came so far."""
        return await self.heard(f"guardian-{number}", *kinds)

    async def heard(self, login: str, *kinds: str) -> Sequence[dict[str, Any]]:
        """The same for anybody who is followed. What two services told at once comes in either order."""
        messages = await self.inboxes.expect(login, *kinds)
        if messages:
            self.say(f"✉ live to {login}: {messages[-1]['title']}. {messages[-1]['body']}")
        self.check(f"{login} was told so", sorted(one["kind"] for one in messages), sorted(kinds))
        return messages

    def finish(self, steps: int) -> bool:
        """Say how it went; whether every step was as told."""
        if not self._wrong and self._number == steps:
            self.console.print(f"\n[bold green]All {steps} steps went as told.[/]")
            return True
        numbers = ", ".join(map(str, self._wrong))
        self.console.print(f"\n[bold red]Not as told: step {numbers} of {steps}.[/]")
        return False


Step = Callable[[Stage], Awaitable[None]]
"""A step is a function; the first line of its docstring is the sentence that is printed."""
