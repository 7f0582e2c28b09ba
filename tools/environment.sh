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

# The packages of OpenCV share the folder cv2 and overwrite each other. MMCV asks for the one with windows, which needs libraries of
# a desktop; others for the one without, which has all that is called here. The latter alone stays.
one_opencv() {
    "$PYTHON" -m pip uninstall --quiet --yes opencv-python opencv-contrib-python opencv-contrib-python-headless 2> /dev/null
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -c "$ROOT/requirements/tested.txt" \
        --force-reinstall --no-deps opencv-python-headless
}

make_environment() {
    local wanted stamp="$VENV/installed.sha256"
    # By Python, as not every system has sha256sum.
    wanted="$(cat "$ROOT/pyproject.toml" "$ROOT/setup.py" "$ROOT/requirements/tested.txt" "$ROOT/tools/environment.sh" |
        python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())') $MMDUET_HOST $ROOT"
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        return 0
    fi
    echo "Installing mmduet and the $MMDUET_HOST host into $VENV (a few minutes)"
    [ -x "$PYTHON" ] || python3 -m venv "$VENV"
    # PyTorch first and alone: MMCV then installs its Python part, and no compiler is asked for.
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -c "$ROOT/requirements/tested.txt" torch torchvision
    "$PYTHON" -m pip install --quiet --disable-pip-version-check -c "$ROOT/requirements/tested.txt" \
        --editable "$ROOT[$MMDUET_HOST,dev]"
    one_opencv
    echo "$wanted" > "$stamp"
}
