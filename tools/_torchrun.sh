# Sourced by dist_train.sh, dist_test.sh and dist_cache_teacher.sh.
tools_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# run_config SCRIPT CONFIG N FLAGS...: for callers whose usage is in their lines 2 to 4
run_config() {
    if [ $# -lt 3 ]; then
        sed -n '2,4p' "$0" | sed 's/^# \?//' >&2
        exit 2
    fi
    local script=$1 config=$2 processes=$3
    shift 3
    run_distributed "$processes" "$script" "$config" --launcher pytorch "$@"
}

# run_distributed N SCRIPT ARGUMENTS...
run_distributed() {
    local processes=$1 script=$2
    shift 2
    local python=${PYTHON:-python}
    case $processes in
        '' | *[!0-9]* | 0)
            echo "error: the number of processes must be a positive number, got '$processes'" >&2
            return 2
            ;;
    esac
    # torchrun would give every process one thread.
    local cores
    cores=$(nproc 2> /dev/null || getconf _NPROCESSORS_ONLN)
    local share=$((cores / processes > 0 ? cores / processes : 1))
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$share} MKL_NUM_THREADS=${MKL_NUM_THREADS:-$share}
    if [ "${NNODES:-1}" -gt 1 ]; then
        "$python" -m torch.distributed.run --nnodes "$NNODES" --node-rank "${NODE_RANK:?}" --nproc-per-node "$processes" \
            --master-addr "${MASTER_ADDR:?}" --master-port "${MASTER_PORT:-29500}" "$tools_dir/$script" "$@"
    else
        # Standalone picks a free port.
        "$python" -m torch.distributed.run --standalone --nproc-per-node "$processes" "$tools_dir/$script" "$@"
    fi
}
