#!/bin/sh
# Tests a built library alone, against a fake service. Usage: run.sh [LIBRARY] [unittest arguments]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
library=${1:-$here/../../dist/libnetcon.so}
[ $# -eq 0 ] || shift
"$here/../scripts/check-library.sh" "$library"
NETCON_LIBRARY=$(realpath "$library")
export NETCON_LIBRARY
cd "$here"
PYTHONDONTWRITEBYTECODE=1 exec python3 -m unittest -q test_preload "$@"
