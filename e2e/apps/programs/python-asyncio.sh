#!/bin/bash
# Python asyncio streams + UDP (asyncio loop)
. "$(dirname "$0")/lib.sh"
PY=${PY:-/usr/bin/python3}
do_start() { local p=$1 d=$2; AS=$NONROOT_USER spawn "$d" "$PY" "$APPS_DIR/src/aio.py" server "$BIND" "$p"; ready "$d" "$p"; }
do_check() { local w; w=$(CT 30 "$PY" "$APPS_DIR/src/aio.py" client "$1" "$2" 2>&1) || die "$(echo "$w" | tail -1)"; ok "$w"; }
main "$@"
