#!/bin/sh
# Checks a built libnetcon.so: it cannot panic, needs no other library, and takes from libc only
# what every libc has. Usage: check-library.sh [LIBRARY]
set -eu

here=$(cd "$(dirname "$0")" && pwd)
library=${1:-$here/../../dist/libnetcon.so}
status=0

fail() {
    echo "check-library: $library: $1" >&2
    status=1
}

if ! [ -f "$library" ]; then
    echo "check-library: $library: no such file" >&2
    exit 2
fi

# The panic handler stays only if something can reach it.
if nm "$library" | grep -iE 'panick|slice_index_fail|unwrap_failed|expect_failed'; then
    fail 'has panic symbols'
fi
if strings -n 6 "$library" | grep -E 'panicked at|index out of bounds|called .Option::unwrap|/core/src/'; then
    fail 'has panic messages'
fi

if readelf -d "$library" | grep NEEDED; then
    fail 'needs other libraries'
fi
if readelf -lW "$library" | grep -E 'TLS|GNU_STACK.*RWE'; then
    fail 'has thread-local storage or an executable stack'
fi

strong='^(__errno_location|environ|memcpy|memmove|memset|memcmp|bcmp|strlen)$'
if nm -D --undefined-only "$library" | awk '$1 == "U" { sub(/@.*/, "", $2); print $2 }' |
    grep -vE "$strong"; then
    fail 'has unexpected undefined symbols'
fi

exit "$status"
