"""The seeds' data: right numbers, groups that clubs takes, children that fit into them."""

from collections import Counter
from datetime import date, time
from uuid import UUID, uuid5

import pytest
from idnumbers.nationalid.kaz.business_id import BusinessIDNumber

from clubs.domain.groups import Group, Names, Weekly, check_group
from local import people
from local.population import CHILDREN
from local.seeds import district, programs
from notifications.domain.reaching import email_address, phone_number
from wallet.domain.programs import Mode
from wallet.usecases.funds import FundPlan
from wallet.usecases.plans import PublicNames, RulesPlan
from wallet.usecases.programs import ProgramPlan

BEGINS_ON = district.BEGINS_AT.date()


def test_the_district_is_as_large_as_promised() -> None:
    assert (len(programs.PROGRAMS), len(district.PROVIDERS), len(district.GROUPS)) == (5, 10, 25)
    assert {fund.mode for fund in programs.CLUBS.funds} == {"ahead", "on_hold"}
    assert len({fund.funder for fund in programs.CLUBS.funds}) == 2


@pytest.mark.parametrize("program", programs.PROGRAMS, ids=lambda program: program.key)
def test_every_program_is_one_that_the_wallet_accepts(program: programs.Program) -> None:
    nowhere = UUID(int=0)
    ProgramPlan(
        region_id=nowhere,
        name=PublicNames(**program.name.content()),
        place=1,
        starts_on=date.fromisoformat(program.days[0]),
        ends_on=date.fromisoformat(program.days[1]),
        rules=RulesPlan.model_validate(program.rules),
    )
    for fund in program.funds:
        FundPlan(
            program_id=nowhere,
            region_id=nowhere,
            funder=PublicNames(**fund.funder.content()),
            name=PublicNames(**fund.name.content()),
            mode=Mode(fund.mode),
            budget_tiyn=fund.budget_tiyn,
            monthly_tiyn=fund.monthly_tiyn,
            last_capture_on=date.fromisoformat(fund.last_capture_on),
        )
        assert 0 < fund.deposit_tiyn <= fund.budget_tiyn


def test_keys_of_programs_and_funds_are_their_own() -> None:
    keys = [fund.key for program in programs.PROGRAMS for fund in program.funds]
    assert len(set(keys)) == len(keys)
    assert len({program.key for program in programs.PROGRAMS}) == len(programs.PROGRAMS)


def test_every_bin_is_valid_its_own_and_of_the_stated_range() -> None:
    numbers = [provider.bin for provider in district.PROVIDERS]
    assert all(BusinessIDNumber.validate(number) for number in numbers)
    assert len(set(numbers)) == len(numbers)
    assert all(90001 <= int(number[6:11]) <= 90099 for number in numbers)


def test_every_group_is_one_that_clubs_accepts() -> None:
    for group in district.GROUPS:
        coach = people.person_id(f"coach-{group.number}")
        begins, ends = map(date.fromisoformat, district.SCHOOL_YEAR)
        starts_at, ends_at = map(time.fromisoformat, group.hours)
        id_ = uuid5(UUID(int=0), group.name.en)
        offered = Group(
            id=id_,
            club_id=id_,
            provider_id=id_,
            direction=group.direction,
            name=Names(group.name.kk, group.name.ru, group.name.en),
            price_tiyn=group.price_tiyn,
            capacity=group.capacity,
            age_from=group.ages[0],
            age_to=group.ages[1],
            schedule=tuple(Weekly(weekday, starts_at, ends_at) for weekday in group.weekdays),
            coaches=(coach,),
            starts_on=begins,
            ends_on=ends,
        )
        check_group(offered, today=BEGINS_ON, coaches=frozenset({coach}))


def test_no_group_costs_more_than_the_program_pays() -> None:
    assert max(group.price_tiyn for group in district.GROUPS) == programs.CLUBS.rules["monthly_rate_tiyn"]


def test_every_director_and_coach_can_sign_in() -> None:
    logins = {f"director-{group.provider}" for group in district.GROUPS}
    logins |= {f"coach-{group.number}" for group in district.GROUPS}
    assert logins <= set(people.LOGINS)


def test_children_fit_into_their_groups_and_nobody_is_in_two() -> None:
    for number, group in district.ENROLLED:
        born = CHILDREN[number - 1].born
        on = date.fromisoformat(district.FIRST_DAY)
        age = on.year - born.year - ((on.month, on.day) < (born.month, born.day))
        assert group.ages[0] <= age <= group.ages[1], group.name.en
    assert set(Counter(number for number, _ in district.ENROLLED).values()) == {1}
    for group, children in Counter(group for _, group in district.ENROLLED).items():
        assert children <= group.capacity


def test_the_newcomer_is_not_enrolled_by_the_seeds() -> None:
    assert district.NEWCOMER not in {number for number, _ in district.ENROLLED}


def test_every_guardian_has_contacts_of_their_own_that_notifications_accepts() -> None:
    contacts = [district.contacts(number) for number in range(1, len(CHILDREN) + 1)]
    assert len({email_address(one.email) for one in contacts}) == len(CHILDREN)
    assert len({phone_number(one.phone) for one in contacts}) == len(CHILDREN)
    assert {one.language for one in contacts} == {"kk", "ru", "en"}
    assert len(set(district.REACHED)) == len(district.REACHED)
