"""What a worker answers to those who run it."""

import httpx

from shared.consumer import EventRouter
from shared.database import open_engine
from shared.doorbell import Doorbell
from shared.edge import Edge
from shared.intake import Intake
from shared.worker import probes


async def test_a_worker_without_its_database_lives_and_is_not_ready() -> None:
    url = "postgresql://wallet:wallet@127.0.0.1:1/socialwallet"
    edge = Edge(open_engine(url), Doorbell(url, "wallet"), development=False)
    intake = Intake(edge, EventRouter(), group="wallet", kafka_bootstrap="127.0.0.1:1")
    app = httpx.ASGITransport(probes("wallet", edge, intake))
    async with httpx.AsyncClient(transport=app, base_url="http://worker") as client:
        assert (await client.get("/livez")).status_code == 200
        for path in ("/readyz", "/metrics"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()) == (503, {"status": "no_database"})
