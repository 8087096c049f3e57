#!/usr/bin/env bash
# A real Grid Engine of one machine, for tests.  Root only, Debian's gridengine, no systemd.
# Idempotent.  It uses the system's own folders: refuses where somebody's cluster is configured.
set -euo pipefail
export SGE_ROOT=/var/lib/gridengine SGE_CELL=default
COMMON=$SGE_ROOT/$SGE_CELL/common HOST=$(hostname)
[ "$(id -u)" = 0 ] || { echo "start.sh: needs root" >&2; exit 2; }
if [ -s "$COMMON/act_qmaster" ] && ! grep -qxE "$HOST|localhost|default" "$COMMON/act_qmaster"; then
  echo "start.sh: another cluster is configured here: $(cat "$COMMON/act_qmaster")" >&2; exit 2
fi
if ! command -v sge_qmaster >/dev/null || ! command -v sge_execd >/dev/null || ! command -v qsub >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
      gridengine-master gridengine-exec gridengine-client >/dev/null
fi
# --- 127.0.0.1 resolves back to localhost, which Grid Engine refuses as the name of a host
printf '%s localhost\n' "$HOST" > "$COMMON/host_aliases"
echo "$HOST" > "$COMMON/act_qmaster"
SPOOL=/var/spool/gridengine/spooldb
[ -e "$SPOOL/sge" ] || su -s /bin/sh sgeadmin \
    -c "/usr/share/gridengine/scripts/init_cluster $SGE_ROOT $SGE_CELL $SPOOL sgeadmin" >/dev/null
alive() { [ -s "$1" ] && [ "$(cat "/proc/$(cat "$1")/comm" 2>/dev/null)" = "$2" ]; }
alive /var/spool/gridengine/qmaster/qmaster.pid sge_qmaster || sge_qmaster >/dev/null
for _ in $(seq 60); do qconf -sh >/dev/null 2>&1 && break; sleep 0.5; done
runuser -u sgeadmin -- env SGE_ROOT=$SGE_ROOT SGE_CELL=$SGE_CELL qconf -am root >/dev/null 2>&1 || true
qconf -ah "$HOST" >/dev/null 2>&1 || true
qconf -as "$HOST" >/dev/null 2>&1 || true
# --- configuration: jobs of root, looked at every second, one queue with four slots
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
qconf -sconf | sed 's/^min_uid .*/min_uid 0/; s/^min_gid .*/min_gid 0/
  s/^gid_range .*/gid_range 20000-20100/; s/^shell_start_mode .*/shell_start_mode unix_behavior/' > "$T/global"
qconf -Mconf "$T/global" >/dev/null
qconf -ssconf | sed 's/^schedule_interval .*/schedule_interval 0:0:1/
  s/^flush_submit_sec .*/flush_submit_sec 1/; s/^flush_finish_sec .*/flush_finish_sec 1/' > "$T/sched"
qconf -Msconf "$T/sched" >/dev/null
qconf -shgrp @allhosts >/dev/null 2>&1 || {
  printf 'group_name @allhosts\nhostlist %s\n' "$HOST" > "$T/hosts"
  qconf -Ahgrp "$T/hosts" >/dev/null
}
qconf -spl 2>/dev/null | grep -qx smp || {
  printf '%s\n' 'pe_name smp' 'slots 999' 'user_lists NONE' 'xuser_lists NONE' \
      'start_proc_args NONE' 'stop_proc_args NONE' 'allocation_rule $pe_slots' \
      'control_slaves FALSE' 'job_is_first_task TRUE' 'urgency_slots min' \
      'accounting_summary FALSE' 'qsort_args NONE' > "$T/pe"
  qconf -Ap "$T/pe" >/dev/null
}
qconf -sql 2>/dev/null | grep -qx all.q || {
  qconf -sq > "$T/queue"
  sed -i 's/^qname .*/qname all.q/; s/^hostlist .*/hostlist @allhosts/; s/^slots .*/slots 4/
    s/^pe_list .*/pe_list smp make/; s#^shell .*#shell /bin/bash#
    s/^shell_start_mode .*/shell_start_mode unix_behavior/
    s/^load_thresholds .*/load_thresholds NONE/' "$T/queue"
  qconf -Aq "$T/queue" >/dev/null
}
alive "$(ls /var/spool/gridengine/execd/*/execd.pid 2>/dev/null | head -1)" sge_execd || sge_execd >/dev/null
for _ in $(seq 60); do
  qstat -f 2>/dev/null | grep -q 'all.q@.*lx-amd64 *$' && { echo "export SGE_ROOT=$SGE_ROOT SGE_CELL=$SGE_CELL"; exit 0; }
  sleep 0.5
done
echo "start.sh: the queue did not come up" >&2; qstat -f >&2 || true; exit 1
