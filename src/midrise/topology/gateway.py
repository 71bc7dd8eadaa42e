"""The gateway: nginx in front of the API instances.

Its configuration is rendered, tested by nginx itself, and only then put in the place of the one that nginx
reads at its next start or reload. Nothing here starts or signals a process.

    templates/gateway/nginx.conf    the frame: log, ids, addresses, limits
    templates/gateway/routes.conf   what is passed to which instance, and what is tried again
    gateway_config.py               fills them in
    gateway_errors.py               the gateway's own answers
"""

import os
import re
import subprocess
from pathlib import Path

from midrise.topology.errors import Refused
from midrise.topology.gateway_config import PID, TEMPORARY, TEMPORARY_KINDS, GatewaySettings, render

__all__ = ["GatewayConfigRefused", "GatewaySettings", "command", "nginx_version", "write_config"]

_CONFIG = "nginx.conf"
_CANDIDATE = "nginx.conf.new"
_LIMIT_S = 30
_OLDEST = (1, 22)
_REASON = re.compile(r"\[(?:emerg|alert|crit|error)\] (?:\d+#\d+: )?(.+)")

_OPENSSL = re.compile(r": (?:PEM|BIO|X509)_\w+\(\) failed \(SSL: error:.*\)")
"""What nginx adds of OpenSSL's own words, which say nothing to a person."""


class GatewayConfigRefused(Refused):
    """nginx refuses the configuration, and says why."""


def write_config(settings: GatewaySettings, *, nginx: Path) -> Path:
    """Put a configuration in place, once nginx has found it good; returns its path. Takes some 50 milliseconds.

    Raises `GatewayConfigRefused` otherwise; then the live one is as it was, and the refused one lies beside it.
    """
    _refuse_unreadable_tls(settings)
    _make_folders(settings.folder)
    candidate = settings.folder / _CANDIDATE
    candidate.write_text(render(settings, version=nginx_version(nginx)), encoding="utf-8")
    _test(settings.folder, nginx=nginx)
    return candidate.replace(settings.folder / _CONFIG)


def command(settings: GatewaySettings, *, nginx: Path) -> list[str]:
    """nginx in the foreground. SIGHUP reloads, SIGQUIT ends when all answers are sent, SIGTERM at once."""
    return [*_program(settings.folder, _CONFIG, nginx=nginx), "-g", "daemon off;"]


def nginx_version(nginx: Path) -> tuple[int, ...]:
    """The version of the program, such as (1, 31, 3). Raises `GatewayConfigRefused` for one that is too old."""
    said = _run([str(nginx), "-v"])
    match = re.search(r"/(\d+)\.(\d+)\.(\d+)", said)
    if not match:
        raise GatewayConfigRefused(f"{nginx} does not say which version of nginx it is")
    version = tuple(int(number) for number in match.groups())
    if version < _OLDEST:
        raise GatewayConfigRefused(f"{nginx} is nginx {match[0][1:]}, and Midrise needs 1.22 or newer")
    return version


def _make_folders(folder: Path) -> None:
    temporary = folder / TEMPORARY
    for each in (folder, temporary, *(temporary / kind for kind in TEMPORARY_KINDS)):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            owner = folder.stat()
            os.chown(each, owner.st_uid, owner.st_gid)


def _refuse_unreadable_tls(settings: GatewaySettings) -> None:
    files = {"MIDRISE_TLS_CERT": settings.tls_certificate, "MIDRISE_TLS_KEY": settings.tls_key}
    for name, path in files.items():
        try:
            if path:
                path.open("rb").close()
        except OSError as trouble:
            raise GatewayConfigRefused(f"{name}: {path} can't be read ({trouble.strerror})") from None


def _test(folder: Path, *, nginx: Path) -> None:
    said = _run([*_program(folder, _CANDIDATE, nginx=nginx), "-t"])
    pid = folder / PID
    if pid.is_file() and pid.stat().st_size == 0:  # a test leaves an empty one where there was none
        pid.unlink()
    if "test is successful" not in said:
        raise GatewayConfigRefused(f"nginx refuses the gateway's configuration: {_reason(said, folder)}")


def _reason(said: str, folder: Path) -> str:
    match = _REASON.search(said)
    reason = match[1] if match else " ".join(said.split()) or "it does not say why"
    reason = _OPENSSL.sub("", reason)
    return re.sub(rf" in {re.escape(str(folder / _CANDIDATE))}:\d+$", "", reason)


def _program(folder: Path, config: str, *, nginx: Path) -> list[str]:
    # The prefix keeps an nginx of the machine from reading or writing anything in its own folders.
    return [str(nginx), "-p", str(folder), "-e", "stderr", "-c", str(folder / config)]


def _run(words: list[str]) -> str:
    answer = subprocess.run(  # noqa: S603  the program that runs as the gateway, no shell
        words, capture_output=True, text=True, errors="replace", check=False, timeout=_LIMIT_S
    )
    return answer.stderr
