#!/usr/bin/env bash
# Train in a Slurm job.
#     bash tools/slurm_train.sh PARTITION JOB CONFIG [GPUS] [flags of tools/train.py]
# Slurm sends SIGTERM GRACE_SECONDS (default 300) before the end, at which training writes a checkpoint; a batch job that calls this
# script is then put back into its queue, resumes when it starts again and appends to its log.
# GPUS is 8 unless given. GPUS_PER_NODE (default: GPUS, at most 8), CPUS_PER_TASK (default 5) and SRUN_ARGS are taken from the environment.
set -euo pipefail
if [ $# -lt 3 ]; then
    sed -n '2,6p' "$0" | sed 's/^# \?//' >&2
    exit 2
fi
partition=$1
job=$2
config=$3
shift 3
gpus=8
case ${1:-} in
    '' | *[!0-9]*) ;;
    *)
        gpus=$1
        shift
        ;;
esac
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
cpus_per_task=${CPUS_PER_TASK:-5}
tools_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$cpus_per_task} MKL_NUM_THREADS=${MKL_NUM_THREADS:-$cpus_per_task}
resume=()
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then
    resume=(--resume)
    # Not at the checkpoint that was asked for when the job began: it would go back to it each time.
    arguments=()
    while [ "$#" -gt 0 ]; do
        case $1 in
            --resume) if [ "$#" -gt 1 ] && [[ $2 != -* ]]; then shift; fi ;;
            --resume=*) ;;
            *) arguments+=("$1") ;;
        esac
        shift
    done
    set -- ${arguments[@]+"${arguments[@]}"}
fi
code=0
# shellcheck disable=SC2086
srun --partition="$partition" --job-name="$job" --gres="gpu:$gpus_per_node" --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" --cpus-per-task="$cpus_per_task" --kill-on-bad-exit=1 \
    --signal="TERM@${GRACE_SECONDS:-300}" --open-mode=append ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$tools_dir/train.py" "$config" --launcher slurm "$@" "${resume[@]}" || code=$?
# 143 is SIGTERM: the time was up, and a checkpoint is written.
if [ "$code" -eq 143 ] && [ -n "${SLURM_JOB_ID:-}" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
