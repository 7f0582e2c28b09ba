#!/usr/bin/env bash
# Test on N processes of this machine: GPUs with NCCL where there are any, CPU cores with gloo elsewhere.
#     bash tools/dist_test.sh CONFIG CHECKPOINT N [flags of tools/test.py]
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,3p' "$0" | sed 's/^# \?//' >&2
    exit 2
fi
config=$1
checkpoint=$2
processes=$3
shift 3
source "$(dirname "${BASH_SOURCE[0]}")/_torchrun.sh"
run_distributed "$processes" test.py "$config" "$checkpoint" --launcher pytorch "$@"
