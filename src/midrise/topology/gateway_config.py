"""Renders the gateway's configuration from ``templates/gateway``."""

import grp
import os
import pwd
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from midrise.topology.errors import Refused
from midrise.topology.gateway_errors import (
    RETRY_AFTER_SECONDS,
    error_locations,
    error_pages,
    language_rules,
    problem_maps,
)
from midrise.topology.nginx_syntax import block, filled, quoted

PID = "nginx.pid"
TEMPORARY = "temporary"
TEMPORARY_KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

_MOST_WORKERS = 4  # one core of nginx feeds several of Python
_MOST_CONNECTIONS = 8192
_OPEN_FILES_PER_CONNECTION = 2  # its own socket, and a file for what doesn't fit into memory

# The API closes connections after 75 idle seconds: nginx does so first, and never writes into a closing one.
_KEPT_ALIVE = ("keepalive 64;", "keepalive_timeout 60s;", "keepalive_requests 100000;")

# Directives that older programs of the machine don't know. The wheel's knows them all.
_HTTP2_DIRECTIVE = (1, 25, 1)
_KEEPALIVE_MIN_TIMEOUT = (1, 27, 4)
_REQUEST_PORT = (1, 29, 3)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway needs to know.

    ``folder`` holds its configuration, pid file and temporary files; ``instances`` are the Unix sockets of the
    API instances, in the folder ``sockets``. With no instance, every call is answered with 503. TLS is spoken
    when certificate and key are given. ``trusted_proxies`` are the networks whose `X-Forwarded-For` and
    `X-Forwarded-Proto` are believed, ``cors_origins`` the origins whose pages may read what the gateway itself
    answers.
    """

    folder: Path
    sockets: Path
    host: str
    port: int
    instances: tuple[Path, ...]
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    requests_at_once_per_address: int = 2048


def render(settings: GatewaySettings, *, version: tuple[int, ...]) -> str:
    """The configuration for a version of nginx."""
    routes = "routes.conf" if settings.instances else "routes_without_instances.conf"
    values = {
        **_process(settings.folder),
        **_listening(settings, version),
        **_addresses(settings.trusted_proxies),
        "host_header": "$host$is_request_port$request_port" if version >= _REQUEST_PORT else "$http_host",
        "keepalive_min_timeout": "keepalive_min_timeout 3s;" if version >= _KEEPALIVE_MIN_TIMEOUT else "",
        "origins": "\n".join(f"{quoted(origin)} $http_origin;" for origin in settings.cors_origins),
        "requests_at_once": str(settings.requests_at_once_per_address),
        "language_rules": language_rules(),
        "problem_maps": problem_maps(),
        "error_pages": error_pages(),
        "error_locations": error_locations(),
        "retry_after_seconds": str(RETRY_AFTER_SECONDS),
        "upstreams": _upstreams(settings.instances),
        "routes": filled(routes, {}),
    }
    return filled("nginx.conf", values)


def _process(folder: Path) -> dict[str, str]:
    open_files = _open_files()
    return {
        "user": _user(folder),
        "pid": quoted(folder / PID),
        "temporary_paths": "\n".join(
            f"{kind}_temp_path {quoted(folder / TEMPORARY / kind)};" for kind in TEMPORARY_KINDS
        ),
        "workers": str(min(os.cpu_count() or 1, _MOST_WORKERS)),
        "open_files": str(open_files),
        "connections": str(min(open_files // _OPEN_FILES_PER_CONNECTION, _MOST_CONNECTIONS)),
    }


def _open_files() -> int:
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = _MOST_CONNECTIONS * _OPEN_FILES_PER_CONNECTION
    return wanted if hard_limit == resource.RLIM_INFINITY else min(hard_limit, wanted)


def _user(folder: Path) -> str:
    """Whom the workers run as when nginx is started by root: whoever owns the folder, not nginx's `nobody`,
    who could reach neither the folder nor the sockets."""
    if os.geteuid() != 0:
        return ""
    owner = folder.stat()
    try:
        user, group = pwd.getpwuid(owner.st_uid).pw_name, grp.getgrgid(owner.st_gid).gr_name
    except KeyError:
        raise Refused(
            f"{folder} belongs to somebody without a name on this machine: give it to a user"
        ) from None
    return f"user {quoted(user)} {quoted(group)};"


def _listening(settings: GatewaySettings, version: tuple[int, ...]) -> dict[str, str]:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    words = [f"listen {quoted(f'{host}:{settings.port}')}", "backlog=2048", "so_keepalive=on"]
    if settings.host == "::":
        words.append("ipv6only=off")
    if settings.tls_certificate is None or settings.tls_key is None:
        return {"listen": f"{' '.join(words)};", "tls": ""}
    words.insert(1, "ssl" if version >= _HTTP2_DIRECTIVE else "ssl http2")
    tls = filled(
        "tls.conf",
        {
            "certificate": quoted(settings.tls_certificate),
            "key": quoted(settings.tls_key),
            "http2": "http2 on;" if version >= _HTTP2_DIRECTIVE else "",
        },
    )
    return {"listen": f"{' '.join(words)};", "tls": tls}


def _addresses(trusted_proxies: Sequence[str]) -> dict[str, str]:
    believed = [f"set_real_ip_from {quoted(network)};" for network in trusted_proxies]
    if believed:
        believed += ["real_ip_header X-Forwarded-For;", "real_ip_recursive on;"]
    return {
        "real_ip": "\n".join(believed),
        "trusted_networks": "\n".join(f"{quoted(network)} 1;" for network in trusted_proxies),
    }


def _upstreams(instances: Sequence[Path]) -> str:
    """All instances, and for each one those that are left if it can't be reached: see routes.conf."""
    if not instances:
        return ""
    servers = {instance: f"server {quoted(f'unix:{instance}')} max_fails=0;" for instance in instances}
    everything = ["zone midrise_api 256k;", "least_conn;", *servers.values(), *_KEPT_ALIVE]
    blocks = [block("upstream midrise_api", everything)]
    elsewhere = ["volatile;", 'default "";']
    if len(instances) > 1:
        for number, instance in enumerate(instances):
            others = [server for each, server in servers.items() if each != instance]
            blocks.append(block(f"upstream midrise_others_{number}", others))
            elsewhere.append(f"{quoted(f'once unix:{instance}')} midrise_others_{number};")
    blocks.append(block('map "$midrise_kind $upstream_addr" $midrise_elsewhere', elsewhere))
    return "\n\n".join(blocks)
