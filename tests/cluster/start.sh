#!/bin/bash
# Bring up a private Slurm cluster on this one machine: munged, slurmdbd with its database,
# slurmctld, and two slurmd that pretend to have GPUs.
#
#   start.sh FOLDER     conf, state, logs, pids and keys lie under FOLDER, which is made
#   . FOLDER/env.sh     then sbatch, squeue and the like talk to this cluster alone
#   stop.sh FOLDER
#
# NODES, CPUS, MEM (MB) and GPUS (of each node) shape it, whatever the machine has. NODE begins
# the nodes' names: those of two clusters on one machine must differ, for their cgroups' sake.
set -euo pipefail
FOLDER=$(mkdir -p "$1" && cd "$1" && pwd -P)
NODES=${NODES:-2} CPUS=${CPUS:-4} MEM=${MEM:-16000} GPUS=${GPUS:-1} NODE=${NODE:-n}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
HOST=$(hostname -s)
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
for name in $(compgen -e | grep -E '^(SLURM|SBATCH|SRUN|SACCT|SQUEUE|SINFO)_' || true); do
    unset "$name"
done
exec </dev/null

# Distinct free ports below those that the kernel gives to clients.
free_ports() {
    python3 - "$1" <<'PY'
import random, socket, sys

low = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
candidates = list(range(10000, low))
random.shuffle(candidates)
held = []
for port in candidates:
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        continue
    held.append(one)
    if len(held) == int(sys.argv[1]):
        break
print(*(one.getsockname()[1] for one in held))
PY
}
read -r -a PORTS <<<"$(free_ports $((NODES + 2)))"

install -d -m 0755 "$FOLDER"/{munge,log,pid,state,spool,bin,dev}
: >"$FOLDER/pids"

# start NAME COMMAND...: in the foreground of a session of its own. With its pid its start time
# is noted: stop.sh signals no other process that has got the pid since.
start() {
    local name=$1
    shift
    setsid "$@" </dev/null >"$FOLDER/log/$name.out" 2>&1 &
    LAST=$!
    echo "$name $LAST $(awk '{print $22}' "/proc/$LAST/stat")" >>"$FOLDER/pids"
}

# await SECONDS WHAT COMMAND...: until the command succeeds, while the last daemon lives.
await() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$LAST" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
            echo "start.sh: $what did not come up" >&2
            tail -n 20 "$FOLDER"/log/* >&2
            exit 1
        fi
        sleep 0.05
    done
}
trap 'rc=$?; [ "$rc" -eq 0 ] || "$HERE/stop.sh" "$FOLDER" >&2' EXIT

SOCKET=$FOLDER/munge/munge.socket
(
    umask 077
    dd if=/dev/urandom of="$FOLDER/munge/munge.key" bs=1024 count=1 status=none
)
start munged munged --foreground --num-threads=4 --key-file="$FOLDER/munge/munge.key" \
    --socket="$SOCKET" --pid-file="$FOLDER/munge/munged.pid" \
    --seed-file="$FOLDER/munge/munged.seed" --log-file="$FOLDER/munge/munged.log"
await 10 munged munge -n -S "$SOCKET"

# Memory limits by cgroups where they can be made; else Slurm looks at the processes.
if [ -w /sys/fs/cgroup/memory ] && [ -w /sys/fs/cgroup/freezer ]; then
    cat >"$FOLDER/cgroup.conf" <<CONF
CgroupMountpoint=/sys/fs/cgroup
CgroupPlugin=cgroup/v1
ConstrainCores=no
ConstrainDevices=no
ConstrainRAMSpace=yes
AllowedSwapSpace=0
CONF
    TRACKING="ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup"
else
    TRACKING="ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherParams=OverMemoryKill"
fi

cat >"$FOLDER/slurm.conf" <<CONF
ClusterName=lab
SlurmctldHost=$HOST(127.0.0.1)
SlurmctldPort=${PORTS[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits until its credential has expired, 120 s by default.
AuthInfo=socket=$SOCKET,cred_expire=10
CommunicationParameters=NoAddrCache
StateSaveLocation=$FOLDER/state
SlurmdSpoolDir=$FOLDER/spool/%n
SlurmctldPidFile=$FOLDER/pid/slurmctld.pid
SlurmdPidFile=$FOLDER/pid/slurmd.%n.pid
SlurmctldLogFile=$FOLDER/log/slurmctld.log
SlurmdLogFile=$FOLDER/log/slurmd.%n.log
PlugStackConfig=$FOLDER/plugstack.conf
$TRACKING
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=1,sched_min_interval=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PriorityType=priority/basic
DefMemPerCPU=500
ReturnToService=2
JobRequeue=1
KillWait=10
EioTimeout=3
BatchStartTimeout=10
CompleteWait=0
InactiveLimit=0
MessageTimeout=30
SlurmctldTimeout=60
SlurmdTimeout=20
# squeue still shows ended jobs when Snakemake asks.
MinJobAge=3600
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=${PORTS[1]}
AccountingStoragePass=$SOCKET
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
AccountingStorageEnforce=associations,limits,qos
GresTypes=gpu
# The nodes are what is said below, not what the machine has.
SlurmdParameters=config_overrides
CONF
: >"$FOLDER/plugstack.conf"
: >"$FOLDER/gres.conf"
for i in $(seq "$NODES"); do
    mkdir -p "$FOLDER/spool/$NODE$i" "$FOLDER/dev/$NODE$i"
    # A GPU is a character device, or CUDA_VISIBLE_DEVICES is not set: a link to one will do.
    for g in $(seq 0 $((GPUS - 1))); do
        ln -sfn /dev/null "$FOLDER/dev/$NODE$i/nvidia$g"
    done
    echo "NodeName=$NODE$i AutoDetect=off Name=gpu Type=fake" \
        "File=$FOLDER/dev/$NODE$i/nvidia[0-$((GPUS - 1))]" >>"$FOLDER/gres.conf"
    echo "NodeName=$NODE$i NodeHostname=$HOST NodeAddr=127.0.0.1 Port=${PORTS[$((i + 1))]}" \
        "CPUs=$CPUS RealMemory=$MEM Gres=gpu:fake:$GPUS State=UNKNOWN" >>"$FOLDER/slurm.conf"
done
echo "PartitionName=main Nodes=ALL Default=YES State=UP" >>"$FOLDER/slurm.conf"

# Inside a job Snakemake's jobstep plugin calls srun without SLURM_CONF. A real cluster has
# /etc/slurm/slurm.conf; here an srun that is found first puts it back.
printf '#!/bin/sh\nSLURM_CONF=%q exec /usr/bin/srun "$@"\n' "$FOLDER/slurm.conf" \
    >"$FOLDER/bin/srun"
chmod 0755 "$FOLDER/bin/srun"
cat >"$FOLDER/env.sh" <<ENV
export SLURM_CONF=$FOLDER/slurm.conf PATH=$FOLDER/bin:\$PATH
ENV
export SLURM_CONF=$FOLDER/slurm.conf

install -d -m 0700 "$FOLDER/db"
mariadb-install-db --no-defaults --user=root --auth-root-authentication-method=socket \
    --skip-test-db --datadir="$FOLDER/db/data" >"$FOLDER/log/mariadb-install.out" 2>&1
start mariadbd mariadbd --no-defaults --user=root --datadir="$FOLDER/db/data" \
    --socket="$FOLDER/db/sock" --pid-file="$FOLDER/db/pid" --skip-networking \
    --innodb-buffer-pool-size=256M --innodb-log-file-size=64M \
    --innodb-lock-wait-timeout=900 --innodb-flush-log-at-trx-commit=0
await 60 mariadbd mariadb --no-defaults -S "$FOLDER/db/sock" -e 'select 1'
(
    umask 077
    cat >"$FOLDER/slurmdbd.conf" <<CONF
AuthType=auth/munge
AuthInfo=socket=$SOCKET
DbdHost=$HOST
DbdAddr=127.0.0.1
DbdPort=${PORTS[1]}
SlurmUser=root
LogFile=$FOLDER/log/slurmdbd.log
PidFile=$FOLDER/pid/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm_acct
CONF
)
start slurmdbd env MYSQL_UNIX_PORT="$FOLDER/db/sock" SLURM_CONF="$FOLDER/slurmdbd.conf" \
    slurmdbd -D
await 60 slurmdbd sacctmgr -n show cluster
sacctmgr -i add cluster lab >/dev/null
sacctmgr -i add account ml Description=ml Organization=lab Cluster=lab >/dev/null
sacctmgr -i add user "$(id -un)" Account=ml DefaultAccount=ml >/dev/null

start slurmctld slurmctld -D -i
await 60 slurmctld scontrol ping
for i in $(seq "$NODES"); do
    start "slurmd-$NODE$i" slurmd -D -N "$NODE$i"
done
all_idle() { [ "$(sinfo -h -N -o '%T' | grep -c '^idle$')" = "$NODES" ]; }
await 60 "the nodes" all_idle
sinfo -N -o '%N %T %c %m %G'
