"""The service behind a real nginx: TLS, a prefix, keys, and what a client may not say of itself."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import httpx
import pytest

from adapters.store.store import Store
from service.access.key_file import KeyFile
from service.access.key_record import KeyList
from tests.support.artifacts import MakeArtifact
from tests.support.keys import new_key
from tests.support.pictures import plain_png
from tests.support.processes import free_port
from tests.support.server import Serve
from tests.support.waiting import wait_until

NGINX, OPENSSL = which("nginx"), which("openssl")
pytestmark = pytest.mark.skipif(not (NGINX and OPENSSL), reason="nginx and openssl are needed")
TEXT, KEY = new_key(tasks=["retail-*"])
PICTURE = plain_png(9)
CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
    location /vision/ {{
      {location}
    }}
  }}
}}
"""


def documented_location(service_port: int) -> str:
    """The block of docs/operations.md, for this port."""
    text = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    block = text.split("location /vision/ {", 1)[1].split("}", 1)[0]
    return block.replace("127.0.0.1:8000", f"127.0.0.1:{service_port}")


@pytest.fixture(scope="module")
def address(
    module_store: Store,
    make_artifact: MakeArtifact,
    serve: Serve,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Where nginx listens, in front of a service with keys."""
    folder = tmp_path_factory.mktemp("nginx")
    KeyFile(folder / "keys.json").change(lambda _: KeyList(keys=(KEY,)))
    module_store.publish("retail-a", make_artifact(1))
    certificate = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]
    subprocess.run([str(OPENSSL), *certificate, *files], check=True, capture_output=True)
    with serve(module_store, f"--keys={folder / 'keys.json'}", "--root-path=/vision") as server:
        port, location = free_port(), documented_location(server.port)
        configuration = CONFIGURATION.format(folder=folder, port=port, location=location)
        (folder / "nginx.conf").write_text(configuration)
        process = subprocess.Popen([str(NGINX), "-p", str(folder), "-c", str(folder / "nginx.conf")])
        try:
            yield f"https://127.0.0.1:{port}/vision"
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    """A client that holds the key."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the certificate is its own issuer
    headers = {"Authorization": f"Bearer {TEXT}"}
    with httpx.Client(base_url=address, verify=context, headers=headers, timeout=60) as client:
        wait_until(lambda: reached(client), "nginx to listen")
        yield client


def reached(client: httpx.Client) -> bool:
    """Whether nginx and the service behind it answer."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.ConnectError:
        return False


def test_pictures_are_classified_over_tls_below_the_prefix(client: httpx.Client) -> None:
    answer = client.post("/v1/tasks/retail-a/classify", content=PICTURE)
    assert (answer.status_code, answer.json()["task"]) == (200, "retail-a")
    assert answer.headers["x-content-type-options"] == "nosniff"
    home = client.get("/")
    assert (home.status_code, 'src="static/page.js"' in home.text) == (200, True)
    assert client.get("/static/page.js").status_code == 200
    assert client.get("/openapi.json").json()["servers"] == [{"url": "/vision"}]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Host": "localhost"}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-Prefix": "/healthz"}],
)
@pytest.mark.parametrize(
    "path", ["/v1/tasks", "/healthz/../v1/tasks", "//v1/tasks", "/%2e%2e/vision/v1/tasks"]
)
def test_the_proxy_opens_nothing(client: httpx.Client, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers | {"Authorization": "Bearer none"})
    assert answer.status_code in (401, 404)


def test_a_body_over_the_limit_is_refused_before_it_is_read_whole(client: httpx.Client) -> None:
    answer = client.post("/v1/tasks/retail-a/classify", content=bytes(70_000_000))
    assert answer.status_code == 413
