# Source this: makes the virtual environment of this checkout once and sets PYTHON to its interpreter.
#
#   MMDUET_VENV   where it lives (default: .venv in the checkout)
#   MMDUET_HOST   onedl (default) or openmmlab
#
# What was installed is remembered by a checksum of the files that decide it, so a second run needs no network.
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
MMDUET_HOST="${MMDUET_HOST:-onedl}"
VENV="${MMDUET_VENV:-$ROOT/.venv}"
PYTHON="$VENV/bin/python"

make_environment() {
    local wanted stamp="$VENV/installed.sha256"
    wanted="$(cat "$ROOT/setup.py" "$ROOT/requirements/tested.txt" | sha256sum | cut -c1-64) $MMDUET_HOST $ROOT"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return 0
    fi
    echo "Installing mmduet and the $MMDUET_HOST host into $VENV (a few minutes)"
    [ -x "$PYTHON" ] || python3 -m venv "$VENV"
    # PyTorch first and alone: MMCV then installs its Python part, and no compiler is asked for.
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -c "$ROOT/requirements/tested.txt" torch torchvision
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -c "$ROOT/requirements/tested.txt" \
        --editable "$ROOT[$MMDUET_HOST,dev]"
    echo "$wanted" > "$stamp"
}
