"""What a month costs and when it is paid, over a real server: who sees it, and what holds a line up."""

from uuid import UUID

import httpx

from rig.office import IBANS, Desk, Office, SandboxBank, Sheet
from shared.database import new_id
from shared.security import Role, ScopeKind
from shared.testing_http import ServedApi, signed_in
from shared.texts import LANGUAGES
from wallet.testing import PRICE, seal

MONTH = "2026-10"


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def of(sheet: Sheet) -> dict[str, str]:
    """The question for the month of a sheet."""
    return {"enrollment_id": str(sheet.request.enrollment_id), "month": MONTH}


async def person(api: ServedApi, role: Role, scope_kind: ScopeKind, scope_id: UUID) -> UUID:
    person_id = new_id()
    await api.grant(person_id, role, scope_kind, scope_id)
    return person_id


async def test_those_concerned_see_what_a_month_costs_and_nobody_else(api: ServedApi, office: Office) -> None:
    provider_id = await office.new_provider()
    (sheet,) = await office.owe(provider_id)
    concerned = [
        await person(api, "guardian", "child", sheet.request.child_id),
        await person(api, "director", "provider", provider_id),
        await person(api, "administrator", "region", office.world.region_id),
        await person(api, "auditor", "region", office.world.region_id),
    ]
    strangers = [
        await person(api, "guardian", "child", new_id()),
        await person(api, "director", "provider", new_id()),
        await person(api, "coach", "provider", provider_id),
        new_id(),
    ]
    for person_id in concerned:
        async with signed_in(api.url, api.issuer, person_id) as client:
            charge = (await client.get("/v1/charges", params=of(sheet))).json()
        assert (charge["amount_tiyn"], charge["revision"], charge["frozen"]) == (PRICE, 1, False)
    for person_id in strangers:
        async with signed_in(api.url, api.issuer, person_id) as client:
            assert code_of(await client.get("/v1/charges", params=of(sheet))) == (404, "not_found")
    async with signed_in(api.url, api.issuer, concerned[0]) as client:
        other_month = of(sheet) | {"month": "2026-11"}
        assert code_of(await client.get("/v1/charges", params=other_month)) == (404, "not_found")
        assert code_of(await client.get("/v1/charges", params=of(sheet) | {"month": "2026-13"}))[0] == 422


async def test_each_lesson_has_its_verdict_its_part_and_a_text_in_the_readers_language(
    api: ServedApi, office: Office
) -> None:
    (sheet,) = await office.owe(await office.new_provider())
    await office.deliver(sheet.closed(disputed=1, absent=2))
    guardian = await person(api, "guardian", "child", sheet.request.child_id)
    async with signed_in(api.url, api.issuer, guardian) as client:
        charges = [
            (await client.get("/v1/charges", params=of(sheet), headers={"Accept-Language": language})).json()
            for language in LANGUAGES
        ]
    charge = charges[0]
    texts = {lesson["text"] for one in charges for lesson in one["lessons"]}
    codes = [lesson["code"] for lesson in charge["lessons"]]
    assert codes == ["disputed", "absent", "confirmed", "confirmed"]
    assert len(texts) == len(set(codes)) * len(LANGUAGES)
    assert not any(text.startswith("verdict.") for text in texts)
    # The absence is decided, the dispute is not: its lesson stays captured, and the whole line waits.
    assert (charge["amount_tiyn"], charge["frozen"]) == (PRICE * 3 // 4, True)
    parts = [lesson["amount_tiyn"] for lesson in charge["lessons"]]
    assert parts == [PRICE // 4, 0, PRICE // 4, PRICE // 4]


async def test_a_line_says_what_holds_it_up_until_it_is_paid(
    api: ServedApi, office: Office, desk: Desk, bank: SandboxBank
) -> None:
    bank.behave("late")
    provider_id = await office.new_provider()
    director = await person(api, "director", "provider", provider_id)
    (sheet,) = await office.owe(provider_id)

    async def line() -> tuple[str, str | None, int]:
        async with signed_in(api.url, api.issuer, director) as client:
            listed = await client.get(
                "/v1/payable-items", params={"provider_id": str(provider_id), "month": MONTH}
            )
        (item,) = listed.json()["items"]
        assert (item["text"] is None) == (item["reason"] is None)
        return item["stage"], item["reason"], item["days_late"]

    assert await line() == ("due", "not_sealed", 0)
    await seal(office.edge)
    assert await line() == ("due", "waits_for_run", 0)
    await office.deliver(sheet.closed(disputed=1))
    assert await line() == ("due", "frozen", 0)
    await office.deliver(sheet.closed(decided="count"))
    run = await office.start()
    assert await line() == ("in_run", "waits_for_approval", 0)
    await office.approve(run.proposal_id)
    assert await line() == ("in_run", "waits_for_bank", 0)
    await desk.send()
    assert await line() == ("sent", "at_the_bank", 0)
    await office.go_to("2026-11-20T09:00:00+05:00")
    assert await line() == ("sent", "at_the_bank", 2)
    bank.change_mind("accept")
    await desk.ask(2)
    assert await line() == ("settled", None, 0)


async def test_a_line_waits_for_its_signature_its_day_and_an_account(api: ServedApi, office: Office) -> None:
    unnamed = new_id()  # has named no account
    await office.owe(unnamed)
    auditor = await person(api, "auditor", "region", office.world.region_id)

    async def lines(provider_id: UUID) -> list[tuple[str, str]]:
        async with signed_in(api.url, api.issuer, auditor) as client:
            listed = await client.get(
                "/v1/payable-items", params={"provider_id": str(provider_id), "month": MONTH}
            )
        return [(item["stage"], item["reason"]) for item in listed.json()["items"]]

    assert await lines(unnamed) == [("due", "no_payee")]
    provider_id = await office.new_provider()
    (sheet,) = await office.owe(provider_id)
    await office.go_to("2026-11-17T09:00:00+05:00")
    assert await lines(provider_id) == [("due", "not_due_yet")]
    await office.deliver(sheet.closed(absent=1), sheet.closed())
    assert await lines(provider_id) == [("due", "not_due_yet"), ("charged", "not_signed")]
    await office.go_to("2026-11-18T09:00:00+05:00")
    await seal(office.edge)
    assert await lines(provider_id) == [("due", "waits_for_run"), ("charged", "not_signed")]
    await office.name_account(provider_id, IBANS[2])
    assert await lines(provider_id) == [("due", "payee_is_new"), ("charged", "not_signed")]


async def test_only_those_concerned_see_what_a_provider_is_owed(api: ServedApi, office: Office) -> None:
    provider_id = await office.new_provider()
    (sheet,) = await office.owe(provider_id)
    asked = {"provider_id": str(provider_id), "month": MONTH}
    guardian = await person(api, "guardian", "child", sheet.request.child_id)
    stranger = await person(api, "director", "provider", new_id())
    async with signed_in(api.url, api.issuer, guardian) as client:
        assert code_of(await client.get("/v1/payable-items", params=asked)) == (403, "role_required")
    async with signed_in(api.url, api.issuer, stranger) as client:
        assert code_of(await client.get("/v1/payable-items", params=asked)) == (404, "not_found")
