#!/usr/bin/env bash
# Installs the packages that the lock $2 lists, and gsr_tf itself, into the virtual environment $1, with progress.
# The lock is complete, and Python compiles what is used when it is used: that saves half a minute.
set -euo pipefail
python=$1/bin/python lock=$2
echo "installing what $lock lists into $1 ($("$python" --version)); TensorFlow alone is about 600 MB"
"$python" -m pip install --disable-pip-version-check --no-input --progress-bar off --no-compile --no-deps \
    --require-hashes -r "$lock" |
    awk -v tty="$([ -t 1 ] && echo 1)" '
        /^(Collecting|Processing|Requirement already satisfied)/ { n++; sub(/:? in .*/, ""); name = $NF == "satisfied" ? "" : $0
            if (tty) printf "\r\033[K  %d packages found: %s", n, name
            else if (n % 25 == 0) printf "  %d packages found\n", n
            fflush() }
        /^Installing collected packages/ { printf "%s  %d packages found, unpacking: a minute or two\n", tty ? "\r\033[K" : "", n; fflush() }
        END { if (tty) printf "\r\033[K" }'
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
