#!/usr/bin/env bash
# Shows that published images work: publishes both in a registry on loopback, forgets them, and builds and tests a
# package with nothing but their digests. Needs podman, docker-registry and curl; takes a few minutes and about 8 GB while it runs.
#
#   ci/image/check.sh [PACKAGE]        PACKAGE is msgpack unless given
#   CHECK_PORT=5000 ci/image/check.sh  another port of loopback
#   TMPDIR=/big ci/image/check.sh      where the registry and the cache are kept meanwhile
set -euo pipefail

package=${1:-msgpack}
port=${CHECK_PORT:-5517}
repository=127.0.0.1:$port/emwheels
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

for tool in podman docker-registry curl; do
    if ! command -v "$tool" > /dev/null; then
        echo "check.sh: $tool is missing: apt-get install $tool" >&2
        exit 5
    fi
done
if [ -n "${EMWHEELS:-}" ]; then
    read -ra emwheels <<< "$EMWHEELS"
elif command -v emwheels > /dev/null; then
    emwheels=(emwheels)
else
    emwheels=(python3 -m emwheels)
fi

temporary=$(mktemp -d)
registry=
clean_up() {
    status=$?
    trap - EXIT INT TERM
    podman image ls --format '{{.Repository}} {{.ID}}' | sed -n "s#^$repository ##p" | sort -u |
        while read -r id; do podman image rm --force "$id" > /dev/null || true; done
    if [ -n "$registry" ]; then
        kill "$registry" 2> /dev/null || true
        wait "$registry" 2> /dev/null || true
    fi
    chmod -R u+rwX "$temporary"
    rm -rf "$temporary"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mkdir "$temporary/storage"
cat > "$temporary/registry.yml" <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $temporary/storage}}
http: {addr: "127.0.0.1:$port"}
YAML
docker-registry serve "$temporary/registry.yml" > "$temporary/registry.log" 2>&1 &
registry=$!
for _ in $(seq 50); do
    if curl --noproxy '*' --silent --fail "http://127.0.0.1:$port/v2/" > /dev/null; then break; fi
    if ! kill -0 "$registry" 2> /dev/null; then
        echo "check.sh: the registry did not start:" >&2
        tail -5 "$temporary/registry.log" >&2
        exit 1
    fi
    sleep 0.2
done

echo "== publish"
build=$(PODMAN_PUSH=--tls-verify=false "$here/build.sh" build "$repository" | tail -1)
test=$(PODMAN_PUSH=--tls-verify=false "$here/build.sh" test "$repository" | tail -1)
printf '%s\n' "$build" "$test"

echo "== forget them"
podman image ls --no-trunc --format '{{.Repository}} {{.ID}}' | sed -n 's#^localhost/emwheels-[a-z]* ##p' |
    while read -r id; do podman image rm --force "$id" > /dev/null; done
for reference in "$build" "$test"; do
    if podman image exists "$reference"; then
        echo "check.sh: podman still has $reference, so nothing would be shown" >&2
        exit 1
    fi
done
podman image ls

echo "== build $package in them"
cd "$here/../.."
export EMWHEELS_IMAGE=$build EMWHEELS_TEST_IMAGE=$test EMWHEELS_CACHE=$temporary/cache
"${emwheels[@]}" build "$package" --engine node

echo "== pulled by digest"
podman image ls --digests
"${emwheels[@]}" image | grep '^digest'
if [ -d "$temporary/cache/images" ] && [ -n "$(find "$temporary/cache/images" -name rootfs)" ]; then
    echo "check.sh: an embedded image was made although others were named" >&2
    exit 1
fi
echo "check.sh: $package was built in $build and tested in $test"
