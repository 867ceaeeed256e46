#!/bin/bash
# Install what start.sh needs, where it is not there: Slurm, munge, and a database.
set -euo pipefail
export PATH=$PATH:/usr/sbin
MISSING=
for command in slurmctld slurmd slurmdbd sbatch munged mariadbd mariadb; do
    command -v "$command" >/dev/null || MISSING="$MISSING $command"
done
[ -z "$MISSING" ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "make test-cluster: expected$MISSING, or Debian's apt-get to install them" >&2
    exit 1
fi
AS_ROOT=
[ "$(id -u)" -eq 0 ] || AS_ROOT=sudo
$AS_ROOT apt-get update -qq
$AS_ROOT env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    slurmctld slurmd slurmdbd slurm-client munge mariadb-server-core mariadb-client-core
