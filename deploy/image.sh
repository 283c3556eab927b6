#!/usr/bin/env bash
# Builds the image of deploy/Dockerfile and writes it as an OCI archive.
# It needs buildah, and neither a daemon nor a registry.
#
#   deploy/image.sh BINARY ARCHIVE [TAG]
#
# CA_BUNDLE names the certificates that the server trusts as a client. VERSION and REVISION
# go into the labels; SOURCE_DATE_EPOCH is every time stamp in the image, so that one binary
# makes one image.
set -euo pipefail

binary=$1
archive=$2
tag=${3:-holdfast:latest}
bundle=${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! command -v buildah >/dev/null; then
	echo "image.sh: buildah builds the image and is not installed: apt-get install buildah" >&2
	exit 1
fi
if [ ! -r "$bundle" ]; then
	echo "image.sh: no CA bundle at $bundle: apt-get install ca-certificates, or set CA_BUNDLE" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/context"
install -m 0755 "$binary" "$work/context/holdfast"
install -m 0644 "$bundle" "$work/context/ca-certificates.crt"

# Storage of its own: nothing is left behind, and no image of the host's gets in.
storage=(--storage-driver vfs --root "$work/storage" --runroot "$work/run")
buildah "${storage[@]}" bud --quiet --isolation chroot --format oci \
	--timestamp "${SOURCE_DATE_EPOCH:-0}" \
	--build-arg "VERSION=${VERSION:-devel}" --build-arg "REVISION=${REVISION:-unknown}" \
	--file "$here/Dockerfile" --tag "$tag" "$work/context" >/dev/null
rm -f "$archive" # an archive that is there would be added to
buildah "${storage[@]}" push --quiet "$tag" "oci-archive:$archive:$tag" >/dev/null
