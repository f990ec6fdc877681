"""The environment variables that emwheels reads, in words, for the documentation.

A unit test holds this table against the source.
"""

from __future__ import annotations

OWN = {
    "EMWHEELS_CACHE": "Where the cache is. Default: `~/.cache/emwheels`.",
    "EMWHEELS_REMOTE": "A store of builds to share, `oci://HOST/NAME` or `https://…`: the default of `--remote`.",
    "EMWHEELS_PUSH": "`1` also uploads builds to that store: the default of `--push`.",
    "EMWHEELS_IMAGE": "A published image to compile in, `registry/name@sha256:…`, or `embedded` for the one made on "
    "this machine. It overrides `oci_reference` in `targets.toml`.",
    "EMWHEELS_TEST_IMAGE": "The same for the image that runs tests.",
    "EMWHEELS_ENTER": "How emwheels enters images: `bwrap`, `podman` or `chroot`. Default: the first that works; for "
    "published images, podman or docker first.",
    "EMWHEELS_DEBIAN_MIRROR": "The Debian mirror for the image and for Debian sources. Default: the mirror of this "
    "machine's apt, then the image's.",
    "EMWHEELS_IMAGE_MIRROR": "What `emwheels image mirror DIR` wrote: a folder, or an address where it is served. The "
    "images' packages are looked for there first.",
    "EMWHEELS_DEBIAN_SNAPSHOT": "A mirror that keeps what Debian's own one has no more, at one moment. It is asked "
    "last.",
    "EMWHEELS_ANSWER_SECONDS": "How long a server may take for a document, and a file may be slow. Default: 30.",
    "EMWHEELS_ADVISORIES": "Advisories in OSV's format for `emwheels bump --check`: a file, a folder, or an address "
    "with `PyPI/all.zip` and `Debian/all.zip`.",
    "EMWHEELS_CRATES": "A folder, or an address, with crates of Rust as files NAME-VERSION.crate. Default: the "
    "registry of cargo's configuration, then the one that cargo asks by default.",
    "EMWHEELS_EMSDK_ARCHIVES": "A folder or URL with the four files of `--toolchain emsdk`. Default: upstream's URLs.",
}
"""Those of emwheels alone."""

OTHERS = {
    "npm_config_registry": "The npm registry. Default: the one of npm's configuration.",
    "HTTPS_PROXY": "The proxy, as for other programs; `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` likewise.",
    "SSL_CERT_FILE": "Certificate authorities to trust.",
    "REQUESTS_CA_BUNDLE": "The same, if `SSL_CERT_FILE` is not set.",
    "PIP_INDEX_URL": "The package index. Every setting of pip counts, from `PIP_…` and from its files.",
    "CARGO_HOME": "The folder of cargo's configuration, which may name a registry of crates. Default: `~/.cargo`.",
    "TERM": "The kind of your terminal, for the shell of `emwheels debug`.",
    "REGISTRY_AUTH_FILE": "Credentials for the shared store and for published images, as `podman login` writes them.",
    "DOCKER_CONFIG": "The folder of the credentials that `docker login` writes.",
    "XDG_RUNTIME_DIR": "Where podman keeps credentials, in `containers/auth.json`.",
    "XDG_CONFIG_HOME": "The same, if they are to last.",
    "NETRC": "The file with users and passwords of servers. Default: `~/.netrc`.",
    "RSYNC_PASSWORD": "The password of an `rsync://` address, read by rsync.",
    "AWS_ACCESS_KEY_ID": "Credentials for a bucket; `AWS_SECRET_ACCESS_KEY` and `AWS_REGION` go with it.",
    "AWS_ENDPOINT_URL": "The address of a bucket's server, if it is not Amazon's. `AWS_ENDPOINT` is read as well.",
}
"""Those that belong to other programs and count here too."""
