#!/bin/bash
# python3 -m http.server (ThreadingHTTPServer) + urllib client
. "$(dirname "$0")/lib.sh"
PY=${PY:-/usr/bin/python3}
do_start() { local p=$1 d=$2; web_root "$d"; AS=$NONROOT_USER spawn "$d" "$PY" -m http.server --bind "$BIND" --directory "$d/www" "$p"; ready "$d" "$p"; }
do_check() { local r w; r=$(web_check "$@") || die "$r"; w=$(CT 20 "$PY" -c 'import urllib.request as u,sys,hashlib; u.install_opener(u.build_opener(u.ProxyHandler({}))); assert hashlib.sha256(u.urlopen(sys.argv[1]+"/big.bin",timeout=8).read()).hexdigest()==open(sys.argv[2]+"/big.sha").read().strip(); print("urllib 8 MiB")' "http://$(U "$1"):$2" "$3" 2>&1) || die "$w"; ok "$r; $w"; }
main "$@"
