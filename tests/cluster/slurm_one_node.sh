#!/usr/bin/env bash
# tests/cluster/slurm_one_node.sh COMMAND...: runs a command where sbatch works: on a Slurm of one node, from Debian's
# packages, in a container of this machine's engine. All that it starts ends with the command.
#
# Needs Docker, mmdebstrap, and to be root. The checkout, its interpreter and the folders of SLURM_ALSO, separated by
# colons, lie in the container where they lie here; what the command writes elsewhere is gone afterwards.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/../.." && pwd -P)
python=$("$checkout/.venv/bin/python" -c 'import sys; print(sys.base_prefix)')
image=bskernel-test-slurm:bookworm-22.05

if ! docker image inspect "$image" >/dev/null 2>&1; then
  echo "making $image from Debian's packages (once)" >&2
  mmdebstrap --quiet --variant=minbase --include=slurm-wlm,munge,procps,g++ bookworm - | docker import - "$image" >&2
fi

mounts=(--volume "$checkout:$checkout" --volume "$python:$python:ro")
IFS=: read -r -a also <<<"${SLURM_ALSO:-}"
for folder in "${also[@]}"; do
  mounts+=(--volume "$folder:$folder")
done
variables=()
for name in $(compgen -e | grep '^BSKERNEL_' || true); do
  variables+=(--env "$name")
done

# Slurm's own cgroups are not used: a container has none of its own to give.
exec docker run --rm --init --hostname node --workdir "$PWD" "${mounts[@]}" "${variables[@]}" \
  --env PATH="$checkout/.venv/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$image" bash -euc '
    mkdir -p /run/munge /var/log/slurm /var/lib/slurm /var/spool/slurmd
    chown -R munge: /run/munge /var/lib/munge /etc/munge /var/log/munge
    [ -e /etc/munge/munge.key ] || runuser -u munge -- mungekey --create
    cat > /etc/slurm/slurm.conf <<CONF
ClusterName=one
SlurmctldHost=node
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation=/var/lib/slurm
SlurmdSpoolDir=/var/spool/slurmd
NodeName=node CPUs=4 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=node Default=YES MaxTime=INFINITE State=UP
CONF
    runuser -u munge -- munged
    slurmctld
    slurmd
    for _ in $(seq 100); do
      [ "$(sinfo --noheader --format %t)" = idle ] && break
      sleep 0.2
    done
    sinfo >&2
    exec "$@"
  ' bash "$@"
