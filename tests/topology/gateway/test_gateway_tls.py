"""The gateway ends TLS where a certificate is given."""

import datetime as dt
import ipaddress
import json
import ssl
import warnings

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "midrise")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def secure(start, certificate):
    return start(tls_certificate=certificate[0], tls_key=certificate[1])


@pytest.fixture
def context(certificate):
    return ssl.create_default_context(cafile=str(certificate[0]))


@pytest.mark.parametrize("http2", [True, False])
def test_calls_are_answered_over_tls(secure, context, http2):
    with httpx.Client(base_url=secure.url, verify=context, http2=http2, trust_env=False) as client:
        answer = client.post("/v1/x", content=b"abc", headers={"X-Request-ID": "r1"})

    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert answer.json()["bytes"] == 3
    assert answer.json()["headers"]["x-forwarded-proto"] == ["https"]
    assert answer.json()["headers"]["host"] == [f"127.0.0.1:{secure.settings.port}"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert answer.headers.get_list("x-request-id") == ["r1"]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/metrics", "GET", 404), ("/v1/x", "BREW", 405), ("/%00", "GET", 400)],
)
def test_http2_gets_the_one_error_format_too(secure, context, path, method, status):
    with httpx.Client(base_url=secure.url, verify=context, http2=True, trust_env=False) as client:
        answer = client.request(method, path)

    assert answer.http_version == "HTTP/2"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_http2_headers_that_are_too_large_end_the_connection(secure, context):
    with (
        httpx.Client(base_url=secure.url, verify=context, http2=True, trust_env=False) as client,
        pytest.raises(httpx.RemoteProtocolError, match="ConnectionTerminated"),
    ):
        client.get("/v1/x", headers={"Authorization": "a" * 40_000})


def test_http2_bodies_have_the_same_limit(secure, context):
    said, sent = {"Content-Length": "1200000"}, [b"x" * 700_000, b"x" * 700_000]
    with httpx.Client(base_url=secure.url, verify=context, http2=True, trust_env=False) as client:
        answers = [
            client.post("/v1/x", content=iter([b"x"]), headers=said),
            client.post("/v1/x", content=iter(sent)),
        ]

    assert [answer.json()["code"] for answer in answers] == ["payload_too_large"] * 2
    assert [answer.status_code for answer in answers] == [413] * 2


def test_http2_writes_do_not_notice_an_instance_that_is_gone(secure, context):
    secure.instances[0].stop()
    with httpx.Client(base_url=secure.url, verify=context, http2=True, trust_env=False) as client:
        answers = [client.put(f"/v1/x/{number}", content=b"x" * 100_000) for number in range(4)]

    assert [answer.json()["bytes"] for answer in answers] == [100_000] * 4


def test_plain_http_is_told_to_speak_tls(secure):
    answer = secure.send(b"GET /v1/x HTTP/1.1\r\nHost: x\r\nAccept-Language: en\r\n\r\n")

    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert answer.startswith(b"HTTP/1.1 400")
    assert (problem["code"], problem["detail"]) == ("bad_request", "This address speaks HTTPS")
    assert not [request for instance in secure.instances for request in instance.requests]


def test_old_versions_of_tls_are_refused(secure, certificate):
    context = ssl.create_default_context(cafile=str(certificate[0]))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.get(f"{secure.url}/v1/x").status_code == 200

    context = ssl.create_default_context(cafile=str(certificate[0]))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(httpx.ConnectError):
        client.get(f"{secure.url}/v1/x")
