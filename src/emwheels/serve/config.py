"""The table of rules, written as configuration for nginx, Caddy and the ``_headers`` file of static hosts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from emwheels.errors import UsageError
from emwheels.serve.rules import (
    COMMON_HEADERS,
    ISOLATION_HEADERS,
    PREFLIGHT_HEADERS,
    REVALIDATE,
    RULES,
    RUNTIME,
    SIMPLE_JSON,
    SIMPLE_JSON_FILE,
    headers_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_MADE_BY = "Made by `emwheels serve --config {name}`; make it again instead of editing it."
_ACCEPTS_JSON = re.escape(SIMPLE_JSON) + r"(?!\s*;\s*q=0(\.0*)?\s*(,|$))"
_ACCEPTS_BR = r"~*(^|[\s,])br(?!\s*;\s*q=0(\.0*)?\s*(,|$))\s*(;|,|$)"
_ACCEPTS_JSON_RE2 = re.escape(SIMPLE_JSON) + r"\s*(,|$|;\s*q=(1|0\.0*[1-9]))"  # RE2 has no lookahead


def configuration(kind: str, *, root: str, listen: str, isolated: bool = False, folders: Sequence[str] = ()) -> str:
    """Return the text of a configuration of ``kind``, one of `CONFIGURATIONS`.

    ``root`` is the published folder on the server and ``listen`` its address and port (``_headers`` needs neither);
    ``folders`` are those below it that hold an index of their own (other profiles), which only ``_headers`` must know.
    """
    for name, value in (("root", root), ("listen", listen)):
        if re.search(r"[\s\"'{};\\$#]", value):
            raise UsageError(f"{name} {value!r} cannot be written into a configuration", hint="use a plain path")
    match kind:
        case "nginx":
            return _nginx(root, listen, isolated=isolated)
        case "caddy":
            return _caddy(root, listen, isolated=isolated)
        case "headers":
            return _headers(folders, isolated=isolated)
    raise UsageError(f"there is no configuration {kind!r}", hint=f"known: {', '.join(CONFIGURATIONS)}")


CONFIGURATIONS = {"nginx": "nginx.conf", "caddy": "Caddyfile", "headers": "_headers"}
"""Kind of configuration -> the name of its file."""


def _nginx(root: str, listen: str, *, isolated: bool) -> str:
    common = _nginx_headers(COMMON_HEADERS, "        ")
    lines = [
        f"# {_MADE_BY.format(name='nginx')}",
        "# For the http block: put it into conf.d or include it. Compressed files that lie beside the plain",
        "# ones are sent to whoever accepts them; not by brotli_static, which fails under disable_symlinks.",
        "map $http_accept $emwheels_index {",
        "    default index.html;",
        f'    "~*{_ACCEPTS_JSON}" {SIMPLE_JSON_FILE};',
        "}",
        "",
        "map $http_accept_encoding $emwheels_coding {",
        "    default none;",
        f'    "{_ACCEPTS_BR}" br;',
        "}",
        "",
        "server {",
        f"    listen {listen};",
        f"    root {root};",
        "    absolute_redirect off;",
        "    merge_slashes on;",
        "    etag on;",
        "    disable_symlinks on from=$document_root;",
        "    gzip_static on;",
        "    server_tokens off;",
        "    # Every answer that no location below gives: redirects and errors.",
        *_nginx_headers(COMMON_HEADERS, "    "),
        "",
        "    if ($request_method = OPTIONS) {",
        "        rewrite ^ /.preflight last;",
        "    }",
        "    location = /.preflight {",
        "        internal;",
        *common,
        *_nginx_headers(PREFLIGHT_HEADERS, "        "),
        "        return 204;",
        "    }",
        r"    location ~ /\. {",
        *common,
        f'        add_header Cache-Control "{REVALIDATE}" always;',
        "        return 404;",
        "    }",
        "    location ~ /$ {",
        f"        index {'$emwheels_index'} index.html;",
        *common,
        f'        add_header Cache-Control "{REVALIDATE}" always;',
        "    }",
    ]
    for rule in RULES:
        own = [
            "        types { }",
            f'        default_type "{rule.media_type}";',
            *common,
            *_nginx_headers(headers_of(rule, isolated=isolated), "        ", always=False),
            "    }",
        ]
        coded = [
            f'    location ~ "{rule.pattern_of(".br")}" {{',
            "        internal;",
            "        gzip_static off;",
            '        add_header Content-Encoding "br";',
            *own,
        ]
        switch = [
            "        if (-f $request_filename.$emwheels_coding) {",
            "            rewrite ^ $uri.$emwheels_coding last;",
            "        }",
        ]
        lines += coded if rule.precompressed else []
        lines += [f'    location ~ "{rule.pattern}" {{', *(switch if rule.precompressed else []), *own]
    return "\n".join([*lines, "}", ""])


def _nginx_headers(headers: Mapping[str, str], indent: str, *, always: bool = True) -> list[str]:
    """Every location needs all of them: one `add_header` of its own hides those of the server."""
    return [f'{indent}add_header {name} "{value}"{" always" if always else ""};' for name, value in headers.items()]


def _caddy(root: str, listen: str, *, isolated: bool) -> str:
    host, _, port = listen.rpartition(":")
    lines = [
        f"# {_MADE_BY.format(name='caddy')}",
        "# Caddy follows symbolic links: publish none that leads out of the folder.",
        f"http://:{port} {{" if not host else f"http://{host}:{port} {{",
        *([f"    bind {host}"] if host else []),
        f"    root * {root}",
        *_caddy_headers(COMMON_HEADERS),
        "    @preflight method OPTIONS",
        "    handle @preflight {",
        *_caddy_headers(PREFLIGHT_HEADERS, "        "),
        "        respond 204",
        "    }",
        "    @json {",
        "        path_regexp /simple/(.*/)?$",
        f"        header_regexp Accept `{_ACCEPTS_JSON_RE2}`",
        f"        file {{path}}{SIMPLE_JSON_FILE}",
        "    }",
        f"    rewrite @json {{path}}{SIMPLE_JSON_FILE}",
        "    @page {",
        "        path */",
        "        file {path}index.html",
        "    }",
        "    rewrite @page {path}index.html",
    ]
    for number, rule in enumerate(RULES):
        lines += [f"    @rule{number} path_regexp `{rule.pattern}`", f"    handle @rule{number} {{"]
        lines += _caddy_headers({"Content-Type": rule.media_type}, "        ")
        lines += _caddy_headers(headers_of(rule, isolated=isolated), "        ")
        lines += ["        import emwheels_files", "    }"]
    # What a rule said of the file must not be said of its absence.
    lines += ["    handle_errors {", f'        header Cache-Control "{REVALIDATE}"']
    lines += ['        header Content-Type "text/plain; charset=utf-8"', "        respond {err.status_code}", "    }"]
    files = [
        "(emwheels_files) {",
        "    file_server {",
        "        precompressed br gzip",
        "        hide .*",
        "    }",
        "}",
    ]
    return "\n".join([lines[0], lines[1], *files, *lines[2:], "}", ""])


def _caddy_headers(headers: Mapping[str, str], indent: str = "    ") -> list[str]:
    return [f'{indent}header {name} "{value}"' for name, value in headers.items()]


def _headers(folders: Sequence[str], *, isolated: bool) -> str:
    """Write no header in two patterns that fit one path: static hosts add them up."""
    lines = [
        f"# {_MADE_BY.format(name='headers')}",
        "# For the top of the published folder. The host compresses and answers ranges as it sees fit.",
        "/*",
        *(f"  {name}: {value}" for name, value in COMMON_HEADERS.items()),
        *(f"  {name}: {value}" for name, value in (ISOLATION_HEADERS if isolated else {}).items()),
    ]
    for prefix in ("", *(f"/{folder}" for folder in folders)):
        for rule in RULES:
            if rule.folder == "wheels":
                lines += [f"{prefix}/wheels/*{rule.suffix}", f"  Content-Type: {rule.media_type}"]
                lines += [f"  Cache-Control: {rule.cache}"]
            elif rule.folder == RUNTIME:
                # Such a host takes one asterisk in a path.
                lines += [f"{prefix}/{rule.folder.replace('*', ':release')}/*{rule.suffix}"]
                lines += [f"  Cache-Control: {rule.cache}"]
            elif rule.folder and rule.suffix == ".json":
                lines += [f"{prefix}/simple/*{rule.suffix}", f"  Content-Type: {rule.media_type}"]
    lines += _types(rule.suffix for rule in RULES if rule.suffix == ".wasm" and not rule.folder)
    return "\n".join([*lines, ""])


def _types(suffixes: Iterable[str]) -> list[str]:
    types = {rule.suffix: rule.media_type for rule in RULES if not rule.folder}
    return [line for suffix in suffixes for line in (f"/*{suffix}", f"  Content-Type: {types[suffix]}")]
