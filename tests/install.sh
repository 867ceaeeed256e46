#!/bin/bash
# install.sh COMMAND... -- PACKAGE...: install Debian packages, unless the commands are there.
set -euo pipefail
export PATH=$PATH:/usr/sbin
MISSING=
while [ "$1" != -- ]; do
    command -v "$1" >/dev/null || MISSING="$MISSING $1"
    shift
done
shift
[ -z "$MISSING" ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "expected$MISSING, or Debian's apt-get to install $*" >&2
    exit 1
fi
AS_ROOT=
[ "$(id -u)" -eq 0 ] || AS_ROOT=sudo
$AS_ROOT apt-get update -qq
$AS_ROOT env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "$@"
