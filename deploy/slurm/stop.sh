#!/usr/bin/env bash
# Ends only the daemons that start.sh started, by their pid files.
set -u
DIR=${SLURM_LAB:-$PWD/.slurm-lab}
export SLURM_CONF=$DIR/slurm.conf
[ -f "$SLURM_CONF" ] && timeout 5 scancel -u root 2>/dev/null
for f in "$DIR"/run/slurmd-*.pid "$DIR"/run/slurmctld.pid "$DIR"/munge/munged.pid; do
  [ -s "$f" ] || continue; p=$(cat "$f")
  case "$(tr '\0' ' ' < /proc/$p/cmdline 2>/dev/null)" in *slurmd*|*slurmctld*|*munged*) kill "$p" 2>/dev/null;; esac
  for _ in $(seq 1 40); do kill -0 "$p" 2>/dev/null || break; sleep 0.25; done
done
[ "${1:-}" = --purge ] && rm -rf "$DIR"
exit 0
