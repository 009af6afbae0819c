#!/bin/sh
# Makes the virtual environment $1 with a Python that TensorFlow 2.15 runs on (3.9 to 3.11), or says what to install.
set -eu
venv=$1
for python in python3.11 python3 python3.10 python3.9; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null; then
        exec "$python" -m venv "$venv"
    fi
done
if command -v uv >/dev/null 2>&1; then
    exec uv venv --seed --python 3.11 "$venv"
fi
echo "gsr_tf needs Python 3.9, 3.10 or 3.11 with its venv module (TensorFlow 2.15 ends there);" >&2
echo "found: $(python3 --version 2>&1 || true). Install one, e.g. 'apt-get install python3.11 python3.11-venv'," >&2
echo "or install uv ('pip install uv'), which fetches Python 3.11 by itself, and run make again." >&2
exit 1
