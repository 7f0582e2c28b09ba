#!/usr/bin/env bash
# Cache a teacher by N processes of this machine, which divide the shards among them.
#     bash tools/dist_cache_teacher.sh CONFIG N [flags of tools/cache_teacher.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT, as for torchrun.
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n '2,4p' "$0" | sed 's/^# \?//' >&2
    exit 2
fi
config=$1
processes=$2
shift 2
source "$(dirname "${BASH_SOURCE[0]}")/_torchrun.sh"
run_distributed "$processes" cache_teacher.py "$config" --launcher pytorch "$@"
