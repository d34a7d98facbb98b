#!/bin/sh
# Runs the examples natively against each other. PREFIX="netcon intercept" runs the same through netcon.
set -eu
cd "$(dirname "$0")/bin"
PREFIX=${PREFIX:-}
port=$((20000 + $$ % 10000))

say() { printf '== %s\n' "$*"; }
wait_line() { # until the server says that it listens
    for _ in $(seq 100); do
        grep -q '^listening at' "$1" 2>/dev/null && return
        sleep 0.05
    done
    echo "the server did not start: $(cat "$1")" >&2
    exit 1
}

out=$(mktemp)
trap 'rm -f "$out"' EXIT

say "test_tx to test_rx, three clients"
$PREFIX ./test_tx --port $port --size 4M --count 3 >"$out" 2>&1 &
tx=$!
wait_line "$out"
for _ in 1 2 3; do $PREFIX ./test_rx --port $port 127.0.0.1; done
wait $tx

say "no server: refused, exit status 1"
status=0
$PREFIX ./test_rx --port $port 127.0.0.1 || status=$?
[ $status = 1 ]

say "multitransfer in one process"
$PREFIX ./multitransfer --port $((port + 1)) --connections 32 --rounds 2 --size 256k

say "multitransfer in two"
$PREFIX ./multitransfer --port $((port + 2)) --connections 8 --size 1M --serve >"$out" 2>&1 &
server=$!
wait_line "$out"
$PREFIX ./multitransfer --port $((port + 2)) --connections 8 --size 1M --connect 127.0.0.1
wait $server

say "ok"
