#!/bin/bash
# Take down the cluster that start.sh made in FOLDER: stop.sh FOLDER. Signals only processes
# that it started: by pid and start time, or by the SLURM_CONF in their environment.
set -uo pipefail
FOLDER=$(cd "$1" && pwd -P) || exit 1
export SLURM_CONF=$FOLDER/slurm.conf PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
exec </dev/null

# Whether a pid is still the process that started at that time; a zombie is none.
alive() {
    [ "$(awk '{print $22}' "/proc/$1/stat" 2>/dev/null)" = "$2" ] &&
        [ "$(awk '{print $3}' "/proc/$1/stat" 2>/dev/null)" != Z ]
}

# Jobs first, while their daemons can still end them.
active() { timeout 5 squeue -h -t PD,R,CG,S,CF -o %A 2>/dev/null | sort -u; }
if [ -s "$FOLDER/slurm.conf" ] && timeout 5 scontrol ping >/dev/null 2>&1; then
    active | xargs -r timeout 10 scancel 2>/dev/null
    for _ in $(seq 100); do
        [ -z "$(active)" ] && break
        sleep 0.1
    done
fi

# The daemons, the last one first.
tac "$FOLDER/pids" | while read -r name pid started; do
    alive "$pid" "$started" || continue
    kill -TERM "$pid"
    for _ in $(seq 200); do
        alive "$pid" "$started" || break
        sleep 0.05
    done
    if alive "$pid" "$started"; then
        echo "stop.sh: $name $pid did not end, killed"
        kill -KILL "$pid"
    fi
done

# What jobs left behind.
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" = $$ ] && continue
    environment=$({ tr '\0' '\n' <"$folder/environ"; } 2>/dev/null) || continue
    grep -qxF "SLURM_CONF=$FOLDER/slurm.conf" <<<"$environment" || continue
    if [[ "$(readlink "$folder/exe" 2>/dev/null)" == */slurmstepd* ]] ||
        grep -q '^SLURM_JOB_ID=' <<<"$environment"; then
        kill -KILL "$pid" 2>/dev/null
    fi
done
if [ -e "$FOLDER/cgroup.conf" ]; then
    for node in $(awk -F'[= ]' '/^NodeName=/{print $2}' "$FOLDER/slurm.conf"); do
        for group in /sys/fs/cgroup/*/"slurm_$node"; do
            [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
        done
    done
fi
: >"$FOLDER/pids"
