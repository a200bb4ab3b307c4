#!/bin/sh
# venv.sh REQUIREMENTS: make .venv hold exactly what the file pins, or say why it cannot.
# Runs in the project's folder. Does nothing if the file has not changed since the last time.
set -eu

requirements=$1
python=.venv/bin/python
stamp=.venv/.installed-$requirements
PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_USER PIP_REQUIRE_VIRTUALENV PIP_ROOT_USER_ACTION PIP_DISABLE_PIP_VERSION_CHECK

fail() {
    echo "$*" >&2
    exit 1
}

if ! "$python" -c 'import encodings' >/dev/null 2>&1; then
    base=
    for candidate in python3.11 python3.12 python3.13 python3.14 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            base=$candidate
            break
        fi
    done
    [ -n "$base" ] || fail "No Python 3.11 or newer was found: install one (on Debian: apt-get install python3.11 python3.11-venv)."
    "$base" -c 'import ensurepip, venv' >/dev/null 2>&1 ||
        fail "$base cannot make virtual environments: install its venv package (on Debian: apt-get install python3-venv)."
    rm -rf .venv
    echo "Creating .venv with $base"
    "$base" -m venv .venv || fail "The virtual environment .venv could not be created: see above."
fi

wanted="$("$python" -c 'import sys; print(sys.version)') $(cksum <"$requirements")"
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing $requirements"
    rm -f "$stamp"
    "$python" -m pip install --quiet --quiet --no-cache-dir --require-hashes -r "$requirements" ||
        fail "The packages of $requirements could not be installed: see above."
    printf '%s\n' "$wanted" >"$stamp"
fi
