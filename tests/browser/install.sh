#!/bin/bash
# Install Chromium and its driver, where they are not there.
set -euo pipefail
command -v chromium >/dev/null && command -v chromedriver >/dev/null && exit 0
if ! command -v apt-get >/dev/null; then
    echo "make test-browser: expected chromium and chromedriver, or Debian's apt-get" >&2
    exit 1
fi
AS_ROOT=
[ "$(id -u)" -eq 0 ] || AS_ROOT=sudo
$AS_ROOT apt-get update -qq
$AS_ROOT env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    chromium chromium-driver
