#!/usr/bin/env bash
# Ends only the two daemons that start.sh started, by their pid files.
set -u
export SGE_ROOT=/var/lib/gridengine SGE_CELL=default
timeout 10 qdel -u "$(id -un)" >/dev/null 2>&1
for f in /var/spool/gridengine/execd/*/execd.pid /var/spool/gridengine/qmaster/qmaster.pid; do
  [ -s "$f" ] || continue; p=$(cat "$f")
  case "$(cat "/proc/$p/comm" 2>/dev/null)" in sge_execd|sge_qmaster) kill "$p";; *) continue;; esac
  for _ in $(seq 40); do kill -0 "$p" 2>/dev/null || break; sleep 0.25; done
done
exit 0
