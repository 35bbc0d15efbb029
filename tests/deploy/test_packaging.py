"""What is in deploy/ holds together; nginx and two replicas really run where nginx is installed."""

import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import kubernetes_validate
import pytest
import yaml
from typer.testing import CliRunner

from macrid.artifacts.store import Store
from macrid.cli.app import app
from macrid.service.settings import Settings
from tests.end_to_end.conftest import free_port, running
from tests.support.bundles import AWKWARD_IDS, make_bundle

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HADOLINT = Path(sys.executable).with_name("hadolint")
VARIABLES = {f"MACRID_{name.upper()}" for name in Settings.model_fields}


def test_every_setting_that_the_files_name_exists():
    for path in [ROOT / "Dockerfile", *DEPLOY.rglob("*.yaml"), *DEPLOY.glob("*.service")]:
        assert set(re.findall(r"MACRID_[A-Z_]+", path.read_text())) <= VARIABLES, path


def test_the_image_is_pinned_runs_as_nobody_in_particular_and_has_a_health_check():
    text = (ROOT / "Dockerfile").read_text()
    assert all(re.search(r":\d+\.\d+.*-", line) for line in re.findall(r"^FROM (\S+)", text, re.M))
    assert "HEALTHCHECK" in text
    assert "ADD " not in text


def test_hadolint_has_nothing_to_say_against_the_dockerfile(tmp_path):
    def said(text):
        (tmp_path / "Dockerfile").write_text(text)
        done = subprocess.run(
            [HADOLINT, "--no-color", tmp_path / "Dockerfile"], capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout

    text = (ROOT / "Dockerfile").read_text()
    assert said(text) == (0, "")
    code, complaint = said(text.replace("slim-bookworm AS", "latest AS").replace(":3.12-latest", ":latest"))
    assert code == 1
    assert "DL3007" in complaint


def test_the_replicas_of_compose_may_write_nothing_and_only_nginx_is_reached_from_this_machine():
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert all(service["read_only"] for service in services.values())
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert services["nginx"]["ports"] == ["127.0.0.1:8080:8080"]
    assert all(services[f"macrid-{n}"]["volumes"][0].endswith(":/store:ro") for n in (1, 2))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("name", ["macrid.service", "macrid-pull.service"])
def test_systemd_has_nothing_to_say_against_a_unit(name, tmp_path):
    def verified(text):
        (tmp_path / name).write_text(text.replace("/opt/macrid/bin/macrid", sys.executable))
        done = subprocess.run(
            ["systemd-analyze", "verify", tmp_path / name], capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr

    text = (DEPLOY / name).read_text()
    assert verified(text) == ""
    assert "NoNewPrivilege" in verified(text.replace("NoNewPrivileges", "NoNewPrivilege"))


def test_what_units_call_can_be_called():
    for path in DEPLOY.glob("*.service"):
        command = re.search(r"^ExecStart=/opt/macrid/bin/macrid (.+)$", path.read_text(), re.M).group(1).split()
        options = [word for word in command if word.startswith("--")]
        shown = CliRunner().invoke(app, [command[0], "--help"], env={"COLUMNS": "300"}).output
        assert options
        assert all(option in shown for option in options), path


class TestKubernetes:
    @pytest.fixture
    def manifests(self):
        return {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes" / "macrid.yaml").read_text())}

    @pytest.mark.parametrize("version", ["1.29", "1.37"])
    def test_the_schemas_of_kubernetes_allow_every_field(self, manifests, version):
        assert set(manifests) == {"Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
        for manifest in manifests.values():
            kubernetes_validate.validate(manifest, version, strict=True)

    def test_and_would_not_allow_one_that_is_misspelt(self, manifests):
        (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
        container["readynessProbe"] = container.pop("readinessProbe")
        with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
            kubernetes_validate.validate(manifests["Deployment"], "1.37", strict=True)

    def test_all_parts_speak_of_the_same_pods(self, manifests):
        labels = manifests["Deployment"]["spec"]["template"]["metadata"]["labels"]
        assert manifests["Deployment"]["spec"]["selector"]["matchLabels"] == labels
        assert manifests["Service"]["spec"]["selector"] == labels
        assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
        assert manifests["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == "macrid"

    def test_the_container_may_little_and_is_asked_how_it_is(self, manifests):
        pod = manifests["Deployment"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
        assert next(mount for mount in container["volumeMounts"] if mount["name"] == "store")["readOnly"]

    def test_requests_get_to_end_before_the_pod_is_killed(self, manifests):
        grace = manifests["Deployment"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        assert grace > Settings.model_fields["shutdown_grace"].default + 5


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt-get install nginx-light")
def test_behind_nginx_two_replicas_answer_as_one_and_outlive_the_end_of_either(tmp_path):
    Store(tmp_path / "store").publish(make_bundle(tmp_path / "bundle"))
    ports, front = [free_port(), free_port()], free_port()
    text = (
        (DEPLOY / "nginx.conf")
        .read_text()
        .replace("listen 8080", f"listen 127.0.0.1:{front}")
        .replace("/tmp/", f"{tmp_path}/")
        .replace("_timeout 10s", "_timeout 1s")  # of slow clients
    )
    for number, port in enumerate(ports, 1):
        text = text.replace(f"macrid-{number}:8000", f"127.0.0.1:{port}")
    (tmp_path / "nginx.conf").write_text(text)
    serve = [sys.executable, "-m", "macrid.cli", "serve", "--store", "store", "--port"]
    with ExitStack() as stack:
        replicas = [ExitStack(), ExitStack()]
        for replica, port in zip(replicas, ports, strict=True):
            stack.push(replica)
            replica.enter_context(running([*serve, str(port)], tmp_path, port))
        command = [
            "nginx",
            "-c",
            str(tmp_path / "nginx.conf"),
            "-p",
            str(tmp_path),
            "-e",
            str(tmp_path / "error.log"),
            "-g",
            "daemon off;",
        ]
        nginx = subprocess.Popen(command)
        stack.callback(lambda: (nginx.terminate(), nginx.wait(20)))
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{front}", timeout=20))
        await_nginx(client)
        for item_id in AWKWARD_IDS:
            raw = "".join(f"%{byte:02x}" for byte in item_id.encode())
            assert client.get(f"/items/{raw}").json()["item_id"] == item_id
        assert client.get("/metrics").status_code == client.post("/admin/reload").status_code == 404
        body = {"history": ["item-9"], "n": 3}
        expected = client.post("/recommend", json=body).json()
        assert client.post("/recommend", content=b" " * 2_000_000).status_code == 413
        assert client.get("/healthz").headers["server"] == "nginx"
        for half in (b"POST /recom", b"POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"):
            assert_cut_off(front, half, after=1)
        replicas[0].close()
        for _ in range(10):
            answer = client.post("/recommend", json=body)
            assert (answer.status_code, answer.json()) == (200, expected)


def assert_cut_off(port, half, after):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(half)
        while connection.recv(4096):
            pass
    assert after * 0.9 <= time.monotonic() - began < after + 5


def await_nginx(client):
    for _ in range(200):
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail("nginx does not answer")
