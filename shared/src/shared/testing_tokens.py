"""Tokens that must be refused, each for one reason; whoever takes tokens is shown all of them.

`BAD` makes a token of its name, given an issuer that could have signed a good one for `PERSON`.
"""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from shared.database import new_id
from shared.testing_http import TokenIssuer

PERSON = new_id()
Maker = Callable[[TokenIssuer], str]


def with_claims(**changes: Any) -> Maker:  # noqa: ANN401 - whatever JSON can say
    """A token with these claims changed, or left out if they are `...`."""

    def make(issuer: TokenIssuer) -> str:
        claims = issuer.claims(PERSON) | changes
        return issuer.sign({name: value for name, value in claims.items() if value is not ...})

    return make


def with_times(**seconds: int) -> Maker:
    """A token with these times, from now."""

    def make(issuer: TokenIssuer) -> str:
        now = int(time.time())
        return with_claims(**{name: now + value for name, value in seconds.items()})(issuer)

    return make


def _header(**changes: Any) -> Maker:  # noqa: ANN401 - whatever JSON can say
    """A token with its header replaced, signed as that header asks for."""

    def make(issuer: TokenIssuer) -> str:
        _, claims, signature = issuer.token(PERSON).split(".")
        header = {"alg": "ES256", "typ": "at+jwt", "kid": issuer.keys[-1].kid} | changes
        header = {name: value for name, value in header.items() if value is not ...}
        return ".".join((_encode(header), claims, signature))

    return make


def _encode(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _signed_by_somebody(issuer: TokenIssuer) -> str:
    stranger = ECKey.generate_key("P-256")
    header = {"alg": "ES256", "kid": issuer.keys[-1].kid, "typ": "at+jwt"}
    return jwt.encode(header, issuer.claims(PERSON), stranger)


def _signed_with_the_public_key_as_secret(issuer: TokenIssuer) -> str:
    key = issuer.keys[-1]
    secret = OctKey.import_key(json.dumps(key.as_dict(private=False)))
    header = {"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}
    return jwt.encode(header, issuer.claims(PERSON), secret, algorithms=["HS256"])


def _signed_by_rsa(issuer: TokenIssuer) -> str:
    header = {"alg": "RS256", "kid": issuer.keys[-1].kid, "typ": "at+jwt"}
    return jwt.encode(header, issuer.claims(PERSON), RSAKey.generate_key(2048))


def _part_changed(index: int) -> Maker:
    def make(issuer: TokenIssuer) -> str:
        parts = issuer.token(PERSON).split(".")
        parts[index] = ("A" if parts[index][5] != "A" else "B").join((parts[index][:5], parts[index][6:]))
        return ".".join(parts)

    return make


def _raw(header: str | None = None, claims: bytes = b"{CLAIMS}") -> Maker:
    """A well-signed token whose header or claims are this text, with what JSON libraries disagree about."""

    def make(issuer: TokenIssuer) -> str:
        key = issuer.keys[-1]
        good = {"alg": "ES256", "kid": key.kid, "typ": "at+jwt"}
        head = header.replace("KID", str(key.kid)) if header else json.dumps(good)
        content = claims.replace(b"CLAIMS", json.dumps(issuer.claims(PERSON))[1:-1].encode())
        signed = f"{_base64(head.encode())}.{_base64(content)}"
        return f"{signed}.{_sign(signed, key)}"

    return make


def _sign(text: str, key: ECKey) -> str:
    """By hand: no library would sign some of these."""
    if key.private_key is None:
        raise AssertionError
    signature = key.private_key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    return _base64(b"".join(number.to_bytes(32) for number in decode_dss_signature(signature)))


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _nested(issuer: TokenIssuer) -> str:
    """A token whose content is a token (RFC 7519, 5.2)."""
    signed = f"{_encode({'alg': 'ES256', 'kid': issuer.keys[-1].kid, 'typ': 'at+jwt', 'cty': 'JWT'})}"
    signed += f".{_base64(issuer.token(PERSON).encode())}"
    return f"{signed}.{_sign(signed, issuer.keys[-1])}"


def _padded(issuer: TokenIssuer) -> str:
    header, claims, signature = issuer.token(PERSON).split(".")
    return f"{header}.{claims}.{signature}=="


def _replayed_signature(issuer: TokenIssuer) -> str:
    """The signature of another good token."""
    return issuer.token(PERSON).rpartition(".")[0] + "." + issuer.token(new_id()).rpartition(".")[2]


BAD: dict[str, Maker] = {
    "no algorithm": _header(alg="none"),
    "NONE": _header(alg="NONE"),
    "no alg": _header(alg=...),
    "alg is a list": _header(alg=["ES256"]),
    "another curve": _header(alg="ES384"),
    "HMAC": _header(alg="HS256"),
    "public key as secret": _signed_with_the_public_key_as_secret,
    "RSA under the id of another key": _signed_by_rsa,
    "signed by somebody": _signed_by_somebody,
    "unsigned": lambda issuer: issuer.token(PERSON).rpartition(".")[0] + ".",
    "header changed": _part_changed(0),
    "claims changed": _part_changed(1),
    "signature changed": _part_changed(2),
    "no kid": _header(kid=...),
    "unknown kid": _header(kid="unknown"),
    "kid is a path": _header(kid="../../etc/passwd"),
    "kid is SQL": _header(kid="' OR 1=1 --"),
    "kid is a number": _header(kid=1),
    "jku": _header(jku="https://example.org/keys"),
    "x5u": _header(x5u="https://example.org/keys"),
    "jwk": _header(jwk={"kty": "EC"}),
    "crit": _header(crit=["b64"], b64=False),
    "zip": _header(zip="DEF"),
    "not a token type": _header(typ="dpop+jwt"),
    "no type": _header(typ=...),
    "header is a list": lambda issuer: f"W10.{issuer.token(PERSON).partition('.')[2]}",
    "header is not JSON": lambda issuer: f"e30e.{issuer.token(PERSON).partition('.')[2]}",
    "other issuer": with_claims(iss="https://example.org"),
    "no issuer": with_claims(iss=...),
    "other audience": with_claims(aud="account"),
    "audience in a text": with_claims(aud="social-wallet account"),
    "no audience": with_claims(aud=...),
    "audience is nested": with_claims(aud=[["social-wallet"]]),
    "ID token": with_claims(typ="ID"),
    "expired": with_times(iat=-3600, exp=-31),
    "no exp": with_claims(exp=...),
    "exp is a text": with_claims(exp="9999999999"),
    "exp is true": with_claims(exp=True),
    "exp is NaN": with_claims(exp=float("nan")),
    "exp is infinite": with_claims(exp=float("inf")),
    "lives for a day": with_times(iat=0, exp=86400),
    "issued tomorrow": with_times(iat=86400, exp=86500),
    "no iat": with_claims(iat=...),
    "not yet": with_times(nbf=120),
    "ends before it begins": with_times(iat=20, exp=10),
    "no subject": with_claims(sub=...),
    "subject is a name": with_claims(sub="aigul"),
    "subject is a number": with_claims(sub=5),
    "subject in another form": with_claims(sub=PERSON.hex),
    "100 KiB": lambda _: "a" * 50_000 + "." + "b" * 50_000 + ".c",
    "8 KiB and a little": with_claims(filler="x" * 8000),
    "trailing data": lambda issuer: issuer.token(PERSON) + ".AAAA",
    "trailing line": lambda issuer: issuer.token(PERSON) + "\n",
    "no dots": lambda _: "abc",
    "empty": lambda _: "",
    "not ASCII": lambda issuer: issuer.token(PERSON) + "Қ",
    "nested": _nested,
    "encrypted": lambda _: f"{_encode({'alg': 'dir', 'enc': 'A256GCM'})}..AAAA.BBBB.{'C' * 22}",
    "header says the algorithm twice": _raw(header='{"alg":"none","alg":"ES256","kid":"KID","typ":"at+jwt"}'),
    "says the subject twice": _raw(claims=b'{"sub":"00000000-0000-7000-8000-000000000001",CLAIMS}'),
    "says the audience twice": _raw(claims=b'{"aud":"account",CLAIMS}'),
    "claims are a list": _raw(claims=b"[{CLAIMS}]"),
    "claims are a text": _raw(claims=b'"{}"'),
    "claims are deep": _raw(claims=b'{"deep":' + b"[" * 2500 + b"]" * 2500 + b",CLAIMS}"),
    "claims are not UTF-8": _raw(claims=b'{"x":"\xff",CLAIMS}'),
    "padded": _padded,
    "signature of another token": _replayed_signature,
    "lower-case algorithm": _header(alg="es256"),
    "kid is a list": _header(kid=["a"]),
    "kid has NUL": _header(kid="a\x00b"),
    "kid is long": _header(kid="k" * 4000),
    "kid is an address": _header(kid="https://example.org/keys#1"),
    "x5c": _header(x5c=["MIIB"]),
    "epk": _header(epk={"kty": "EC"}),
    "exp overflows": _raw(claims=b'{CLAIMS,"exp":1e400}'),
    "exp is beyond bigint": with_claims(exp=2**63),
    "iat is negative": with_claims(iat=-1),
    "audience is an object": with_claims(aud={"social-wallet": True}),
    "subject is a list": with_claims(sub=[str(PERSON)]),
    "subject in capitals": with_claims(sub="0199B3A0-0000-7000-8000-00000000000A"),
    "issuer with a slash": lambda issuer: with_claims(iss=issuer.url + "/")(issuer),
    "issuer is a list": lambda issuer: with_claims(iss=[issuer.url])(issuer),
    "refresh token": with_claims(typ="Refresh"),
}
