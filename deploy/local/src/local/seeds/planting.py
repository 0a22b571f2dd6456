"""How seeds are planted: administrators decide in twos, directors open groups, guardians link children."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from rich.progress import Progress

from local import clock, people
from local.client import Client, Person, for_each
from local.errors import LocalError
from local.layout import Layout
from local.population import CHILDREN
from local.seeds import district
from local.seeds.district import Group, Provider
from local.seeds.programs import (
    AHEAD,
    CLUBS,
    COEFFICIENT_PERCENT,
    PROGRAMS,
    SPECIAL_NEEDS,
    WITH_COEFFICIENT,
    Fund,
    Program,
)

Item = TypeVar("Item")
_Linked = tuple[int, int]
"""A child by number, and the guardian by number who speaks for it."""


@dataclass(slots=True)
class _Found:
    """Ids that the services gave to what was planted."""

    programs: dict[str, str] = field(default_factory=dict)
    funds: dict[str, str] = field(default_factory=dict)
    providers: dict[int, str] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    links: dict[_Linked, str] = field(default_factory=dict)
    children: dict[int, str] = field(default_factory=dict)


@dataclass
class Planting:
    """One run of the seeds."""

    system: Layout
    client: Client
    bars: Progress
    found: _Found = field(default_factory=_Found)

    @cached_property
    def administrator(self) -> Person:
        return self.client.person("administrator-1")

    @cached_property
    def second_administrator(self) -> Person:
        return self.client.person("administrator-2")

    async def everything(self) -> None:
        """In an order that a real district could have."""
        await self._each("Programs and funds", [self._programs], lambda step: step())
        await self._each("Providers", district.PROVIDERS, self._provider)
        await self._each("Bank accounts", district.PROVIDERS, self._payee)
        await self._each("Groups", district.GROUPS, self._group)
        links = _links()
        await self._each("Claims of guardians", links, self._claim)
        await self._each("The register's answers", links, self._verified)
        await self._each("Guardians' contacts", district.REACHED, self._contacts)
        await self._each("Entitlements", sorted(self.found.children), self._entitle)
        await clock.until_quiet(self.system)
        await self._each("September's money", [self._allot], lambda step: step())
        await self._each("Enrollments", district.ENROLLED, self._enroll)
        await clock.until_quiet(self.system)

    async def _each(self, what: str, items: Iterable[Item], act: Callable[[Item], Awaitable[None]]) -> None:
        listed = list(items)
        task = self.bars.add_task(what, total=len(listed))

        async def act_and_count(item: Item) -> None:
            await act(item)
            self.bars.advance(task)

        await for_each(listed, act_and_count)

    async def _decided(self, address: str, body: dict[str, Any], key: str) -> str:
        """What one administrator proposes and another approves; the id of what it made."""
        service = address.partition("/")[0]
        proposal = await self.administrator.post(address, body, key=key)
        approval = f"{service}/v1/approvals/{proposal.content['id']}/approve"
        return str((await self.second_administrator.post(approval, key=key)).content["made_id"])

    async def _programs(self) -> None:
        region = await self._region()
        auditor = {"person_id": str(people.person_id("auditor-1")), "role": "auditor"}
        await self._decided(
            "enrollment/v1/grants", auditor | {"scope_kind": "region", "scope_id": region}, "auditor"
        )
        for place, program in enumerate(PROGRAMS, start=1):
            self.found.programs[program.key] = await self._program(region, place, program)

    async def _program(self, region: str, place: int, program: Program) -> str:
        """A program with its funds, and what is paid in first."""
        begins, ends = program.days
        plan = {
            "region_id": region,
            "name": program.name.content(),
            "place": place,
            "starts_on": begins,
            "ends_on": ends,
            "rules": program.rules,
        }
        program_id = await self._decided("wallet/v1/programs", plan, f"program-{program.key}")
        for fund in program.funds:
            self.found.funds[fund.key] = await self._fund(region, program_id, fund)
        return program_id

    async def _fund(self, region: str, program_id: str, fund: Fund) -> str:
        plan = {
            "program_id": program_id,
            "region_id": region,
            "funder": fund.funder.content(),
            "name": fund.name.content(),
            "mode": fund.mode,
            "budget_tiyn": fund.budget_tiyn,
            "monthly_tiyn": fund.monthly_tiyn,
            "last_capture_on": fund.last_capture_on,
        }
        fund_id = await self._decided("wallet/v1/funds", plan, f"fund-{fund.key}")
        await self.administrator.post(
            f"wallet/v1/funds/{fund_id}/deposits",
            {"amount_tiyn": fund.deposit_tiyn},
            key=f"first-deposit-{fund.key}",
        )
        return fund_id

    async def _region(self) -> str:
        grants = (await self.administrator.get("enrollment/v1/me"))["grants"]
        for grant in grants:
            if grant["scope_kind"] == "region":
                return str(grant["scope_id"])
        raise LocalError("administrator-1 administers no region; see social-wallet logs enrollment-worker")

    async def _provider(self, provider: Provider) -> None:
        made = await self.administrator.post(
            "clubs/v1/providers",
            {"bin": provider.bin, "name": provider.name.content()},
            key=f"provider-{provider.number}",
        )
        self.found.providers[provider.number] = id_ = str(made.content["id"])
        await self._appoint(self.administrator, id_, f"director-{provider.number}", "director")
        if provider.number == district.WITH_DEVICE:
            await self._appoint(self.administrator, id_, "device-1", "device")

    async def _payee(self, provider: Provider) -> None:
        """Where the provider is paid: the director says so, an administrator approves."""
        director = self.client.person(f"director-{provider.number}")
        payee = {"iban": provider.iban, "name": provider.name.kk, "bin": provider.bin}
        address = f"wallet/v1/providers/{self.found.providers[provider.number]}/payee"
        proposal = await director.post(address, payee, key=f"payee-{provider.number}")
        approval = f"wallet/v1/approvals/{proposal.content['id']}/approve"
        await self.administrator.post(approval, key=f"payee-{provider.number}")

    async def _appoint(self, by: Person, provider_id: str, login: str, role: str) -> None:
        await by.post(
            f"clubs/v1/providers/{provider_id}/staff",
            {"person_id": str(people.person_id(login)), "role": role},
            key=login,
        )

    async def _group(self, group: Group) -> None:
        director = self.client.person(f"director-{group.provider}")
        provider_id = self.found.providers[group.provider]
        coach = f"coach-{group.number}"
        await self._appoint(director, provider_id, coach, "coach")
        club = await director.post(
            "clubs/v1/clubs",
            {
                "provider_id": provider_id,
                "name": district.club_name(group.direction).content(),
                "direction": group.direction,
            },
            key=f"club-{group.direction}-{group.provider}",
        )
        begins, ends = district.SCHOOL_YEAR
        content = {
            "club_id": club.content["id"],
            "name": group.name.content(),
            "price_tiyn": group.price_tiyn,
            "capacity": group.capacity,
            "age_from": group.ages[0],
            "age_to": group.ages[1],
            "schedule": [
                {"weekday": weekday, "starts_at": group.hours[0], "ends_at": group.hours[1]}
                for weekday in group.weekdays
            ],
            "coaches": [str(people.person_id(coach))],
            "starts_on": begins,
            "ends_on": ends,
        }
        made = await director.post("clubs/v1/groups", content, key=f"group-{group.number}")
        self.found.groups[group.number] = str(made.content["id"])

    async def _claim(self, link: _Linked) -> None:
        number, guardian = link
        claim = {"iin": CHILDREN[number - 1].iin}
        made = await self.client.person(f"guardian-{guardian}").post(
            "enrollment/v1/guardian-links", claim, key=f"link-{number}"
        )
        self.found.links[link] = str(made.content["id"])

    async def _verified(self, link: _Linked) -> None:
        number, guardian = link
        person = self.client.person(f"guardian-{guardian}")
        told = await person.get(
            f"enrollment/v1/guardian-links/{self.found.links[link]}", wait=20.0, version=1
        )
        if told["state"] != "verified":
            raise LocalError(f"the link of guardian-{guardian} to child {number} is {told['state']}")
        self.found.children[number] = str(told["child_id"])

    async def _contacts(self, number: int) -> None:
        person = self.client.person(f"guardian-{number}")
        wanted = district.contacts(number)
        await person.put("notifications/v1/me/contacts", {"email": wanted.email, "phone": wanted.phone})
        if wanted.language != "kk":
            known = await person.get("notifications/v1/me/preferences")
            del known["version"]
            await person.put("notifications/v1/me/preferences", known | {"language": wanted.language})

    async def _entitle(self, number: int) -> None:
        await self.administrator.post(
            f"enrollment/v1/children/{self.found.children[number]}/entitlements",
            {"program_id": self.found.programs[CLUBS.key], "until": district.ENTITLED_UNTIL},
            key=f"entitlement-{number}",
        )
        if number == WITH_COEFFICIENT:
            await self.administrator.post(
                f"enrollment/v1/children/{self.found.children[number]}/entitlements",
                {
                    "program_id": self.found.programs[SPECIAL_NEEDS.key],
                    "until": district.ENTITLED_UNTIL,
                    "coefficient_percent": COEFFICIENT_PERCENT,
                },
                key=f"entitlement-{number}-{SPECIAL_NEEDS.key}",
            )

    async def _allot(self) -> None:
        """A run of the district's fund for the first month, until it is done."""
        wanted = {"fund_id": self.found.funds[AHEAD.key], "until": district.ALLOTTED_UNTIL}
        run = (await self.administrator.post("wallet/v1/funding-runs", wanted, key="september")).content
        while run["state"] != "done":
            run = await self.administrator.get(
                f"wallet/v1/funding-runs/{run['id']}", wait=20.0, version=run["version"]
            )
        if run["funded"] != len(self.found.children):
            raise LocalError(f"the first funding run reached {run['funded']} children")

    async def _enroll(self, wish: tuple[int, Group]) -> None:
        number, group = wish
        guardian = self.client.person(f"guardian-{number}")
        wanted = {
            "child_id": self.found.children[number],
            "group_id": self.found.groups[group.number],
            "starts_on": district.FIRST_DAY,
        }
        told = (await guardian.post("enrollment/v1/enrollments", wanted, key=f"enroll-{number}")).content
        while told["state"] in {"requested", "funding"}:
            told = await guardian.get(
                f"enrollment/v1/enrollments/{told['id']}", wait=20.0, version=told["version"]
            )
        if told["state"] != "confirmed":
            raise LocalError(f"child {number} is {told['state']} in {group.name.en}: {told['reason']}")


def _links() -> list[_Linked]:
    """Every child with each of its guardians, but for the newcomer."""
    return [
        (number, int(login.removeprefix("guardian-")))
        for number, child in enumerate(CHILDREN, start=1)
        for login in child.guardians
        if number != district.NEWCOMER
    ]
