"""The invented district: right numbers, and nobody who is not there."""

from datetime import date

import pytest
from idnumbers.nationalid.kaz.individual_id import IndividualIDNumber

from local import people
from local.population import CHILDREN, SCHOOLS


def test_every_iin_is_valid_and_tells_the_childs_birthday() -> None:
    for child in CHILDREN:
        parsed = IndividualIDNumber.parse(child.iin)
        assert parsed is not None
        assert parsed["yyyymmdd"] == child.born


def test_no_two_children_share_an_iin_and_all_are_of_the_stated_range() -> None:
    assert len({child.iin for child in CHILDREN}) == len(CHILDREN) == 300
    assert all(9001 <= int(child.iin[7:11]) <= 9700 for child in CHILDREN)


def test_children_are_of_school_age_in_the_year_of_the_story() -> None:
    assert all(6 <= (date(2026, 9, 1) - child.born).days // 365 <= 14 for child in CHILDREN)


def test_the_nth_child_is_the_nth_guardians() -> None:
    assert all(f"guardian-{number}" in child.guardians for number, child in enumerate(CHILDREN, start=1))


def test_every_guardian_can_sign_in() -> None:
    assert {login for child in CHILDREN for login in child.guardians} <= set(people.LOGINS)


def test_a_person_has_one_id_everywhere_and_strangers_have_none() -> None:
    logins = people.LOGINS + people.DEVICES
    assert len({people.person_id(login) for login in logins}) == len(logins)
    assert str(people.person_id("guardian-1")) == "76377270-10d3-5f76-8f3f-caa2896b0345"
    with pytest.raises(KeyError):
        people.person_id("guardian-0")


def test_there_are_a_dozen_schools_and_one_is_not_rural() -> None:
    assert [school.rural for school in SCHOOLS].count(False) == 1
    assert len(SCHOOLS) == 12
