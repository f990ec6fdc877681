#!/usr/bin/env bash
# Makes an image, turns it into an OCI image and, given a registry, publishes it.
#
#   ci/image/build.sh build                                     make and import the image that compiles; it stays here
#   ci/image/build.sh build registry.example.org/team/emwheels  also push it there
#   ci/image/build.sh test registry.example.org/team/emwheels   the same with the image that runs tests
#
# The last line of standard output is the image: by digest when it was pushed (the line for targets.toml, EMWHEELS_IMAGE
# or EMWHEELS_TEST_IMAGE), else by its local name. Everything else goes to standard error.
#
#   EMWHEELS     the command to run (default: emwheels from PATH, else python3 -m emwheels)
#   PODMAN_PUSH  further options of podman push, e.g. --tls-verify=false or --authfile=FILE
set -euo pipefail

part=${1:-}
repository=${2:-}
if [ "$part" != build ] && [ "$part" != test ]; then
    echo "build.sh: say which image: build.sh build|test [registry/name]" >&2
    exit 2
fi
local_name=localhost/emwheels-$part

if [ -n "$repository" ] && [[ $repository == *[@]* || ${repository##*/} == *:* ]]; then
    echo "build.sh: '$repository' has a tag or a digest: give only registry/name" >&2
    exit 2
fi
if ! command -v podman > /dev/null; then
    echo "build.sh: podman is missing: apt-get install podman" >&2
    exit 5
fi
if [ -n "${EMWHEELS:-}" ]; then
    read -ra emwheels <<< "$EMWHEELS"
elif command -v emwheels > /dev/null; then
    emwheels=(emwheels)
else
    emwheels=(python3 -m emwheels)
fi

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
shown=$(EMWHEELS_IMAGE=embedded EMWHEELS_TEST_IMAGE=embedded "${emwheels[@]}" image --part "$part")
folder=$(sed -n 's/^kept in  *//p' <<< "$shown")
content=$(sed -n 's/^digest  *sha256://p' <<< "$shown")
if [ ! -d "$folder/rootfs/opt/emwheels" ] || [ -z "$content" ]; then
    echo "build.sh: emwheels image did not say where its root file system is:" >&2
    head -5 <<< "$shown" >&2
    exit 5
fi

name=$local_name:${content:0:16}
if podman image exists "$name"; then
    echo "build.sh: $name is already imported" >&2
else
    echo "build.sh: importing $folder/rootfs as $name" >&2
    # What the engine mounts over is left out; owners are numbers, because names belong to the image.
    tar --create --directory "$folder/rootfs" --sort=name --numeric-owner \
        --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./tmp/*' . |
        podman import --quiet --change "LABEL emwheels.content=sha256:$content" - "$name" >&2
fi

if [ -z "$repository" ]; then
    echo "$name"
    exit 0
fi
digest_file=$(mktemp)
trap 'rm -f "$digest_file"' EXIT
echo "build.sh: pushing to $repository" >&2
# shellcheck disable=SC2086  # PODMAN_PUSH is a list of options
podman push --quiet ${PODMAN_PUSH:-} --digestfile "$digest_file" "$name" "docker://$repository:$part-${content:0:16}" >&2
echo "$repository@$(< "$digest_file")"
