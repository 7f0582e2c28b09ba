#!/usr/bin/env bash
# Train on N processes of this machine: GPUs with NCCL where there are any, CPU cores with gloo elsewhere.
#     bash tools/dist_train.sh CONFIG N [flags of tools/train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT, as for torchrun.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_torchrun.sh"
run_config train.py "$@"
