#!/usr/bin/env bash
# A real Slurm on this machine, for tests: loopback only, no systemd, no cgroup.
# Idempotent: a second call finds everything up and returns at once.  Root only.
set -euo pipefail
DIR=${SLURM_LAB:-$PWD/.slurm-lab}
NODES=${SLURM_NODES:-2}           # number of slurmd's
CPUS=${SLURM_CPUS:-2}             # CPUs advertised by each (over-subscription of the host is fine)
MEM=${SLURM_MEM:-4000}            # MB advertised by each
CTLPORT=${SLURM_CTLPORT:-16817}
[ "$(id -u)" = 0 ] || { echo "start.sh: needs root" >&2; exit 2; }
if ! command -v slurmctld >/dev/null || ! command -v munged >/dev/null || ! command -v slurmd >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
      slurmctld slurmd slurm-client munge >/dev/null
fi
mkdir -p "$DIR"/{state,spool,log,run}
chmod 755 "$DIR"
# --- munge: its own key, socket, pid and log under DIR; the daemon runs as user munge
if ! munge -S "$DIR/run/munge.socket" -n </dev/null 2>/dev/null | unmunge -S "$DIR/run/munge.socket" >/dev/null 2>&1; then
  install -d -o munge -g munge -m 0700 "$DIR/munge"
  install -d -o munge -g munge -m 0711 "$DIR/run"
  [ -s "$DIR/munge/munge.key" ] || { (umask 077; head -c 1024 /dev/urandom > "$DIR/munge/munge.key"); chown munge:munge "$DIR/munge/munge.key"; chmod 400 "$DIR/munge/munge.key"; }
  rm -f "$DIR/run/munge.socket" "$DIR/run/munge.socket.lock"
  runuser -u munge -- munged --force --key-file="$DIR/munge/munge.key" --socket="$DIR/run/munge.socket" \
      --pid-file="$DIR/munge/munged.pid" --log-file="$DIR/munge/munged.log" --seed-file="$DIR/munge/munged.seed"
fi
# --- slurm.conf
{
cat <<C
ClusterName=daskid
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$CTLPORT
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$DIR/run/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0,default_queue_depth=100
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
InactiveLimit=0
MinJobAge=300
KillWait=2
OverTimeLimit=0
UnkillableStepTimeout=20
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPidFile=$DIR/run/slurmctld.pid
SlurmdPidFile=$DIR/run/slurmd-%n.pid
StateSaveLocation=$DIR/state
SlurmdSpoolDir=$DIR/spool/%n
SlurmctldLogFile=$DIR/log/slurmctld.log
SlurmdLogFile=$DIR/log/slurmd-%n.log
SlurmctldDebug=info
SlurmdDebug=info
C
for i in $(seq 1 "$NODES"); do
  echo "NodeName=n$i NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((CTLPORT+10+i)) CPUs=$CPUS RealMemory=$MEM State=UNKNOWN"
done
echo "PartitionName=normal Nodes=n[1-$NODES] Default=YES MaxTime=INFINITE DefaultTime=10 State=UP"
echo "PartitionName=short Nodes=n[1-$NODES] Default=NO MaxTime=2 State=UP"
} > "$DIR/slurm.conf.new"
if ! cmp -s "$DIR/slurm.conf.new" "$DIR/slurm.conf" 2>/dev/null; then mv "$DIR/slurm.conf.new" "$DIR/slurm.conf"; else rm "$DIR/slurm.conf.new"; fi
export SLURM_CONF=$DIR/slurm.conf
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null && tr '\0' ' ' < "/proc/$(cat "$1")/cmdline" | grep -q "$2"; }
alive "$DIR/run/slurmctld.pid" slurmctld || slurmctld -f "$SLURM_CONF"
for i in $(seq 1 "$NODES"); do
  mkdir -p "$DIR/spool/n$i"
  alive "$DIR/run/slurmd-n$i.pid" slurmd || slurmd -f "$SLURM_CONF" -N "n$i"
done
for _ in $(seq 1 60); do
  [ "$(sinfo -h -N -p normal -t idle,mix,alloc -o %N 2>/dev/null | sort -u | wc -l)" = "$NODES" ] && { echo "export SLURM_CONF=$SLURM_CONF"; exit 0; }
  sleep 0.5
done
echo "start.sh: nodes did not come up; see $DIR/log" >&2; sinfo >&2 || true; exit 1
