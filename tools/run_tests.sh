#!/usr/bin/env bash
# Environment, linters, types, import rules and tests: bash tools/run_tests.sh [pytest arguments]
set -euo pipefail
source "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/environment.sh"
make_environment
cd "$ROOT"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
"$VENV/bin/ruff" check .
"$VENV/bin/mypy"
"$VENV/bin/lint-imports"
exec "$PYTHON" -m pytest "$@"
