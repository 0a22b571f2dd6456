"""Control totals are what was delivered, and each overseer gets those of their funds."""

from rig.office import CHARGED, Office
from shared.database import new_id
from shared.testing_http import ServedApi, signed_in


async def test_a_month_is_counted_by_fund(office: Office, api: ServedApi) -> None:
    await office.owe(await office.new_provider(), children=3)
    await office.deliver(office.sheets[0].closed(absent=2))
    auditor, stranger = new_id(), new_id()
    await api.grant(auditor, "auditor", "program", office.world.program_id)
    await api.grant(stranger, "auditor", "program", new_id())
    async with signed_in(api.url, api.issuer, auditor) as client:
        october = (await client.get("/v1/control-totals", params={"month": "2026-10"})).json()
        november = (await client.get("/v1/control-totals", params={"month": "2026-11"})).json()
        first = (await client.get("/v1/control-totals", params={"month": "2026-10", "limit": 1})).json()
        rest = {"month": "2026-10", "limit": 1, "cursor": first["next"]}
        second = (await client.get("/v1/control-totals", params=rest)).json()
    assert first["items"] + second["items"] == october["items"]
    (told,) = (one for one in october["items"] if one["fund_id"] == str(office.fund_id))
    assert told == {
        "fund_id": str(office.fund_id),
        "holds": 3,
        "held_tiyn": 3 * CHARGED,
        "open_holds": 0,
        "still_held_tiyn": 0,
        "enrollment_months": 3,
        "items": 3,
        "charged_tiyn": 3 * CHARGED,
        "refunded_tiyn": CHARGED // 2,
        "claimed_tiyn": 0,
        "settled_tiyn": 0,
    }
    assert {one["holds"] for one in november["items"]} == {0}
    async with signed_in(api.url, api.issuer, stranger) as client:
        assert (await client.get("/v1/control-totals", params={"month": "2026-10"})).json()["items"] == []
