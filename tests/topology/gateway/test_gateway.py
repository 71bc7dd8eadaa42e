"""The configuration: tested before it counts, taken over by a running nginx without a lost request."""

import dataclasses
import os
import pwd
import re
import signal
import subprocess
import tempfile
import threading
from pathlib import Path

import httpx
import psutil
import pytest
from tests.topology.reach import as_another_user

from midrise.topology.errors import Refused
from midrise.topology.gateway import GatewayConfigRefused, GatewaySettings, command, nginx_version, write_config
from midrise.topology.gateway_config import render


@pytest.fixture
def settings(sockets, port, tmp_path):
    return GatewaySettings(
        folder=tmp_path / "gateway",
        sockets=sockets,
        host="127.0.0.1",
        port=port,
        instances=(sockets / "api.1.sock", sockets / "api.2.sock"),
    )


def test_a_good_configuration_is_put_in_place(settings, nginx):
    path = write_config(settings, nginx=nginx)

    assert path == settings.folder / "nginx.conf"
    assert path.is_file()
    assert not (settings.folder / "nginx.pid").exists()


def test_a_refused_configuration_leaves_the_live_one_alone(settings, nginx):
    live = write_config(settings, nginx=nginx).read_text()
    broken = dataclasses.replace(
        settings, tls_certificate=Path("/nowhere/cert.pem"), tls_key=Path("/nowhere/key.pem")
    )

    with pytest.raises(GatewayConfigRefused) as refused:
        write_config(broken, nginx=nginx)

    sentence = str(refused.value)
    assert sentence == "MIDRISE_TLS_CERT: /nowhere/cert.pem can't be read (No such file or directory)"
    assert (settings.folder / "nginx.conf").read_text() == live


def test_a_certificate_that_is_none_is_named_without_the_words_of_openssl(settings, nginx, tmp_path):
    path = tmp_path / "cert.pem"
    path.write_text("nonsense")

    with pytest.raises(GatewayConfigRefused) as refused:
        write_config(dataclasses.replace(settings, tls_certificate=path, tls_key=path), nginx=nginx)

    assert f'"{path}"' in str(refused.value)
    assert "SSL" not in str(refused.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "no such host"},
        {"host": "nosuchhost.invalid"},
        {"port": 70_000},
        {"trusted_proxies": ("not a network",)},
        {"instances": (Path("/" + "x" * 200),)},
    ],
)
def test_what_nginx_does_not_understand_is_refused_in_one_sentence(settings, nginx, wrong):
    with pytest.raises(GatewayConfigRefused, match=r"^nginx refuses the gateway's configuration: \D.+$"):
        write_config(dataclasses.replace(settings, **wrong), nginx=nginx)


def test_a_program_that_is_not_nginx_is_refused(settings):
    with pytest.raises(GatewayConfigRefused, match="does not say which version of nginx it is"):
        write_config(settings, nginx=Path("/bin/true"))


def test_a_program_that_is_too_old_is_refused(tmp_path):
    old = tmp_path / "nginx"
    old.write_text("#!/bin/sh\necho 'nginx version: nginx/1.18.0 (Ubuntu)' >&2\n")
    old.chmod(0o755)

    with pytest.raises(GatewayConfigRefused, match=r"is nginx 1\.18\.0, and Midrise needs 1.22 or newer"):
        nginx_version(old)


def test_names_with_spaces_and_quotes_work(settings, nginx, tmp_path):
    folder = tmp_path / "a \"quoted\" 'folder'; with {braces} \\ and চা"
    sockets = Path("/tmp/a \"b\" 'c'; {d} \\ চা")
    named = dataclasses.replace(settings, folder=folder, instances=(sockets / "1.sock", sockets / "2.sock"))

    assert write_config(named, nginx=nginx).is_file()


@pytest.mark.parametrize("name", ["a$b", "a\nb"])
def test_names_that_nginx_can_not_say_are_refused(settings, nginx, tmp_path, name):
    with pytest.raises(Refused, match="can't stand in the gateway's configuration"):
        write_config(dataclasses.replace(settings, folder=tmp_path / name), nginx=nginx)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"])
def test_any_kind_of_address_can_be_listened_on(settings, nginx, host):
    assert write_config(dataclasses.replace(settings, host=host), nginx=nginx).is_file()


def test_older_programs_are_not_told_what_they_do_not_know(settings):
    settings.folder.mkdir()
    settings = dataclasses.replace(settings, tls_certificate=Path("/cert"), tls_key=Path("/key"))

    old, new = render(settings, version=(1, 22, 1)), render(settings, version=(1, 31, 3))

    unknown_to_old = re.compile(r"keepalive_min_timeout|^\s*http2 on;|is_request_port", re.MULTILINE)
    assert len(unknown_to_old.findall(new)) == 3
    assert not unknown_to_old.findall(old)
    assert "ssl http2" in old


def test_every_temporary_file_stands_in_the_folder(settings, nginx):
    text = write_config(settings, nginx=nginx).read_text()

    paths = re.findall(r"^\s*(?:pid|\w+_temp_path) \"(.+)\";$", text, re.MULTILINE)
    assert len(paths) == 6
    assert all(Path(path).is_relative_to(settings.folder) for path in paths)


def test_the_pid_file_names_the_running_program(start):
    gateway = start()
    file = gateway.settings.folder / "nginx.pid"

    # It accepts connections before it writes the file.
    gateway.wait_for(lambda: file.exists() and file.read_text().endswith("\n"))
    assert int(file.read_text()) == gateway.process.pid


def test_a_reload_takes_an_instance_out_without_losing_a_request(start):
    gateway = start()
    first, second = gateway.instances
    stop, statuses = threading.Event(), []

    def write():
        with httpx.Client(base_url=gateway.url, trust_env=False) as client:
            while not stop.is_set():
                statuses.append(client.post("/v1/x", content=b"x" * 1000).status_code)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for left in [(second.path,), (first.path, second.path), (first.path,), (first.path, second.path)]:
            wait_for_every_worker(gateway)
            before = gateway.workers()
            reload(gateway, left)
            gateway.wait_for(lambda before=before: before.isdisjoint(gateway.workers()))
            if len(left) == 1:
                gone = second if left == (first.path,) else first
                gone.stop()
                gone.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()

    assert set(statuses) == {200}
    assert len(statuses) == sum(len(instance.requests) for instance in gateway.instances)


def test_a_refused_reload_changes_nothing(start):
    gateway = start()
    with pytest.raises(GatewayConfigRefused):
        write_config(dataclasses.replace(gateway.settings, trusted_proxies=("nonsense",)), nginx=gateway.nginx)

    gateway.process.send_signal(signal.SIGHUP)

    assert gateway.http.get("/v1/x").status_code == 200


def test_asked_to_quit_it_finishes_what_is_in_flight(start):
    gateway = start(count=1)
    arrived, go = threading.Event(), threading.Event()
    usual = gateway.instances[0].answer

    def wait(request):
        arrived.set()
        go.wait(10)
        return usual(request)

    gateway.instances[0].answer = wait
    answers = []
    thread = threading.Thread(target=lambda: answers.append(gateway.http.post("/v1/x", content=b"x")))
    thread.start()
    assert arrived.wait(10)

    gateway.process.send_signal(signal.SIGQUIT)
    gateway.wait_for(lambda: "gracefully shutting down" in gateway.log.read_text())
    go.set()

    thread.join(10)
    assert answers[0].status_code == 200
    assert gateway.process.wait(10) == 0
    assert not (gateway.settings.folder / "nginx.pid").exists()


def test_a_taken_port_is_said_in_the_log(start, sockets):
    gateway = start()
    folder = sockets / "second"
    folder.mkdir()
    twin = dataclasses.replace(gateway.settings, folder=folder)
    write_config(twin, nginx=gateway.nginx)

    second = subprocess.run(command(twin, nginx=gateway.nginx), capture_output=True, text=True, check=False)

    assert second.returncode != 0
    assert f"bind() to 127.0.0.1:{twin.port} failed" in second.stderr


@as_another_user
def test_root_can_start_it_as_a_user_to_whom_only_the_folder_belongs(settings, nginx, port, tmp_path):
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory(prefix="midrise-") as outer:
        folder = Path(outer) / "gateway"
        folder.mkdir(mode=0o700)
        Path(outer).chmod(0o711)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        theirs = dataclasses.replace(settings, folder=folder, port=port, instances=())
        write_config(theirs, nginx=nginx)
        log = tmp_path / "gateway.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command(theirs, nginx=nginx), stderr=output, user="nobody", group=nobody.pw_gid, extra_groups=[]
            )
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=9), trust_env=False) as client:
                answer = client.get(f"http://127.0.0.1:{port}/")
            assert answer.status_code == 503
            assert psutil.Process(process.pid).uids().real == nobody.pw_uid
        finally:
            process.terminate()
            process.wait(10)
        assert answer.headers["x-request-id"] in log.read_text()


def test_the_version_is_told_by_the_program(nginx):
    assert nginx_version(nginx) >= (1, 18)


def reload(gateway, instances):
    write_config(dataclasses.replace(gateway.settings, instances=instances), nginx=gateway.nginx)
    gateway.process.send_signal(signal.SIGHUP)


def wait_for_every_worker(gateway):
    """The port is open before the last worker is there: one that is not there yet can't be waited for."""
    configured = (gateway.settings.folder / "nginx.conf").read_text("utf-8")
    count = int(configured.partition("worker_processes ")[2].partition(";")[0])
    gateway.wait_for(lambda: len(gateway.workers()) == count)
