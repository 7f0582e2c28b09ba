#!/usr/bin/env bash
# Cache a teacher by N processes of this machine, which divide the shards among them.
#     bash tools/dist_cache_teacher.sh CONFIG N [flags of tools/cache_teacher.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and MASTER_PORT, as for torchrun.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/_torchrun.sh"
run_config cache_teacher.py "$@"
