#!/usr/bin/env bash
# Environment, linters, types, import rules and tests: bash tools/run_tests.sh [pytest arguments]
# Tests run in up to four processes of one thread each; `-n 0` runs them in one, for a debugger.
set -euo pipefail
source "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/environment.sh"
make_environment
cd "$ROOT"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
"$VENV/bin/ruff" check .
"$VENV/bin/mypy"
"$VENV/bin/lint-imports"
exec "$PYTHON" -m pytest -n auto --maxprocesses 4 --dist loadfile "$@"
