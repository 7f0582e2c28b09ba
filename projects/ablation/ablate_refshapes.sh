#!/usr/bin/env bash
# The ablation on RefShapes, from nothing to its table: bash projects/ablation/ablate_refshapes.sh [options of projects/ablation/ablate.py]
#
#   bash projects/ablation/ablate_refshapes.sh --seeds 5 --jobs 2
#   bash projects/ablation/ablate_refshapes.sh --seeds 5 --jobs 2 --test          # last: testA, testB and heldout
#
# Makes the environment, the standard set and the teacher's cache where they are missing. Runs that are recorded in --out are
# not trained again: without --out your records go to work_dirs/ablation/refshapes.jsonl, not to those of this repository.
set -euo pipefail
source "$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/tools/environment.sh"
make_environment
cd "$ROOT"

data=data/refshapes
if [ ! -f "$data/manifest.json" ]; then
    "$PYTHON" tools/make_refshapes.py --out "${data}_official"
    "$PYTHON" tools/prepare_dataset.py refshapes --source "${data}_official" --images "${data}_official/images" --out "$data"
fi
# What the teacher says about the first 8,000 expressions; goes on where it stopped, and another size asks for a cache of its own.
"$PYTHON" tools/cache_teacher.py configs/duet/transvg_duet_refshapes.py --patch projects/ablation/settings/refshapes.py
"$PYTHON" projects/ablation/ablate.py configs/duet/transvg_duet_refshapes.py --out work_dirs/ablation/refshapes.jsonl "$@"
