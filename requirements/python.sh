#!/bin/sh
# Makes the virtual environment $1 with a Python that gsr_tf runs on (3.11 to 3.13), or says what to install.
# 3.11 comes first: there TensorFlow is 2.15, where parity with the authors' release is proved. PYTHON_FOR_VENV names another.
set -eu
venv=$1
for python in ${PYTHON_FOR_VENV:-python3.11 python3.13 python3.12 python3}; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
        exec "$python" -m venv "$venv"
    fi
done
if [ -z "${PYTHON_FOR_VENV:-}" ] && command -v uv >/dev/null 2>&1; then
    exec uv venv --seed --python 3.11 "$venv"
fi
echo "gsr_tf needs Python 3.11, 3.12 or 3.13 with its venv module; found:" \
    "$("${PYTHON_FOR_VENV:-python3}" --version 2>&1 || true)." >&2
echo "Install one, e.g. 'apt-get install python3 python3-venv' on Debian 13 or Ubuntu 24.04," >&2
echo "or install uv ('pip install uv'), which fetches Python 3.11 by itself, and run make again." >&2
exit 1
