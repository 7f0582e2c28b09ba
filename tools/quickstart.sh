#!/usr/bin/env bash
# From nothing to a distilled student: bash tools/quickstart.sh
#
# Makes the environment and RefShapes, trains the tiny TransVG plain and distilled by DUET (same seed, same steps, side by side),
# tests both and draws predictions. Run again, it goes on where it stopped; remove work_dirs/quickstart to start anew.
set -euo pipefail
source "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/environment.sh"
make_environment
cd "$ROOT"

data=data/refshapes_quickstart
out=work_dirs/quickstart
if [ ! -f "$data/manifest.json" ]; then
    "$PYTHON" tools/make_refshapes.py --out "${data}_official" --train 8000 --val 1000 --test 1000
    "$PYTHON" tools/prepare_dataset.py refshapes --source "${data}_official" --images "${data}_official/images" --out "$data"
fi

# Two trainings share the machine: half of the cores for each.
cores="$(nproc 2> /dev/null || getconf _NPROCESSORS_ONLN)"
export OMP_NUM_THREADS="$((cores > 1 ? cores / 2 : 1))"
export MKL_NUM_THREADS="$OMP_NUM_THREADS"
mkdir -p "$out"
train() {
    "$PYTHON" tools/train.py "$1" --data-root "$data" --work-dir "$out/$2" --resume > "$out/$2.log" 2>&1 || {
        tail -n 20 "$out/$2.log" >&2
        return 1
    }
}
echo "Training plain and distilled; follow with: tail -f $ROOT/$out/{plain,distilled}.log"
train configs/transvg/transvg_refshapes.py plain &
plain=$!
train configs/duet/transvg_duet_refshapes.py distilled &
distilled=$!
trap 'kill $plain $distilled 2>/dev/null || true' EXIT
wait "$plain"
wait "$distilled"
trap - EXIT

export OMP_NUM_THREADS="$cores" MKL_NUM_THREADS="$cores"
for run in plain distilled; do
    "$PYTHON" tools/test.py configs/transvg/transvg_refshapes.py "$(cat "$out/$run/last_checkpoint")" --data-root "$data" \
        --work-dir "$out/$run" --out "$out/$run.jsonl" --show-dir "$out/pictures_$run" | tee "$out/$run.txt" | tail -n 10
done
accuracy() { awk '$1 == "acc@0.5" { printf "%.1f", $2 }' "$out/$1.txt"; }
echo "Predictions: $ROOT/$out/{plain,distilled}.jsonl, pictures: $ROOT/$out/pictures_distilled"
echo "RefShapes val Acc@0.5: plain $(accuracy plain), distilled $(accuracy distilled)"
