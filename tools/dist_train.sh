#!/usr/bin/env bash
# Train on N processes of this machine: GPUs with NCCL where there are any, CPU cores with gloo elsewhere.
#     bash tools/dist_train.sh CONFIG N [flags of tools/train.py]
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
run_distributed "$processes" train.py "$config" --launcher pytorch "$@"
