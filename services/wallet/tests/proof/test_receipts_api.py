"""Receipts over a real server: whom an operation concerns has its proof, which holds without us."""

import subprocess
import sys
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from rig.office import Desk, Office
from shared.database import new_id
from shared.edge import Edge
from shared.security import Role, ScopeKind
from shared.testing_http import ServedApi, signed_in
from shared.texts import LANGUAGES, LanguageCode, Texts
from shared.tls import tls
from wallet.domain.proof import receipts
from wallet.domain.proof.checkpoints import open_checkpoint
from wallet.domain.proof.leaves import KINDS
from wallet.domain.proof.notes import VerifierKey
from wallet.domain.proof.paths import verify_consistency
from wallet.testing import LOG, seal
from wallet.verifying.__main__ import app

KEY = LOG.verifier_keys[0]
STRANGER = VerifierKey.of(LOG.name, Ed25519PrivateKey.from_private_bytes(bytes([7] * 32)))


async def operations(edge: Edge, kind: str) -> Sequence[UUID]:
    async with edge.look() as tx:
        rows = await (await tx.driver()).fetch("SELECT id FROM operations WHERE kind = $1 ORDER BY id", kind)
    return [row["id"] for row in rows]


async def person(api: ServedApi, role: Role, scope_kind: ScopeKind, scope_id: UUID) -> UUID:
    person_id = new_id()
    await api.grant(person_id, role, scope_kind, scope_id)
    return person_id


def check(file: Path, key: VerifierKey = KEY) -> tuple[int, str]:
    """How the command ends and what it says, without the second that it takes to begin."""
    told = CliRunner().invoke(app, ["receipt", str(file), "--key", str(key)])
    return told.exit_code, told.output


def check_alone(file: Path) -> "subprocess.CompletedProcess[str]":
    """The command, with an empty environment: no server is told to it, and none is there."""
    command = [sys.executable, "-m", "wallet.verifying", "receipt", str(file), "--key", str(KEY)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={})  # noqa: S603 - ours


async def test_a_payment_and_a_charge_are_proven_to_those_concerned_only(
    api: ServedApi, owed: Office, desk: Desk, edge: Edge
) -> None:
    await desk.send()
    (paid,) = await operations(edge, "pay_out")
    charged = (await operations(edge, "charge"))[0]
    director = await person(api, "director", "provider", owed.providers[0])
    guardian = await person(api, "guardian", "child", owed.sheets[0].request.child_id)
    stranger = await person(api, "guardian", "child", new_id())
    async with signed_in(api.url, api.issuer, director) as client:
        answer = await client.get(f"/v1/receipts/{paid}")
        assert (answer.status_code, answer.json()["code"]) == (httpx.codes.CONFLICT, "not_sealed")
        await seal(edge)
        proven = receipts.verify(receipts.read((await client.get(f"/v1/receipts/{paid}")).text), KEY)
        assert (proven.operation.id, proven.operation.kind) == (paid, "pay_out")
        assert proven.operation.approvers == tuple(one.person_id for one in owed.world.people)
        assert (await client.get(f"/v1/receipts/{charged}")).is_success
    async with signed_in(api.url, api.issuer, guardian) as client:
        assert (await client.get(f"/v1/receipts/{charged}")).is_success
        assert (await client.get(f"/v1/receipts/{paid}")).status_code == httpx.codes.NOT_FOUND
    async with signed_in(api.url, api.issuer, stranger) as client:
        assert {(await client.get(f"/v1/receipts/{one}")).status_code for one in (charged, paid)} == {
            httpx.codes.NOT_FOUND
        }


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_printed_receipt_is_checked_without_any_server(
    api: ServedApi, owed: Office, edge: Edge, tmp_path: Path, language: LanguageCode
) -> None:
    await seal(edge)
    charged = (await operations(edge, "charge"))[0]
    guardian = await person(api, "guardian", "child", owed.sheets[0].request.child_id)
    async with signed_in(api.url, api.issuer, guardian) as client:
        printed = await client.get(f"/v1/receipts/{charged}/pdf", headers={"Accept-Language": language})
    assert printed.headers["Content-Type"] == "application/pdf"
    file = tmp_path / "receipt.pdf"
    file.write_bytes(printed.content)
    told = check_alone(file)
    assert told.returncode == 0, told.stdout
    assert told.stdout.startswith(f"proven: charge of 18750.00 tenge, operation {charged}")
    code, said = check(file, key=STRANGER)
    assert (code, said[:10]) == (1, "NOT PROVEN")


async def test_a_receipt_with_one_other_character_is_not_proven(
    owed: Office, edge: Edge, api: ServedApi, tmp_path: Path
) -> None:
    await seal(edge)
    charged = (await operations(edge, "charge"))[0]
    guardian = await person(api, "guardian", "child", owed.sheets[0].request.child_id)
    async with signed_in(api.url, api.issuer, guardian) as client:
        text = (await client.get(f"/v1/receipts/{charged}")).text
    file = tmp_path / "receipt.json"
    file.write_text(text)
    assert check(file)[0] == 0
    at = text.index('"leaf":"') + 100
    file.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    assert check(file)[1].startswith("NOT PROVEN")


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-", b"%PDF-1.7\n" + bytes(2000), b"\xff\xfe", b"{}", b"x" * 2_000_000]
)
def test_what_is_no_receipt_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "receipt.pdf"
    file.write_bytes(content)
    code, said = check(file)
    assert (code, said.count("\n")) == (1, 1)


async def test_the_world_can_follow_the_log_without_a_token(api: ServedApi, owed: Office, edge: Edge) -> None:
    heads = []
    async with httpx.AsyncClient(base_url=api.url, trust_env=False, verify=tls()) as client:
        for _ in range(3):
            await owed.world.pay_in(owed.world.ahead, 5)
            await seal(edge)
            note = (await client.get("/v1/log/checkpoint")).text
            heads.append(open_checkpoint(note, KEY))
            assert (await client.get("/v1/log/checkpoint", params={"size": heads[-1].size})).text == note
        for old in heads:
            for new in (one for one in heads if one.size >= old.size):
                told = (
                    await client.get("/v1/log/consistency", params={"old": old.size, "new": new.size})
                ).json()
                path = [b64decode(one) for one in told["path"]]
                verify_consistency(
                    old=old.size, old_root=old.root, new=new.size, new_root=new.root, path=path
                )
        beyond = await client.get("/v1/log/consistency", params={"old": 0, "new": heads[-1].size + 1})
        assert beyond.status_code == httpx.codes.NOT_FOUND


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_of_operation_has_a_name(language: LanguageCode) -> None:
    for kind in KINDS:
        assert Texts.of("wallet").translate(language, f"sealed.{kind}") != f"sealed.{kind}"
