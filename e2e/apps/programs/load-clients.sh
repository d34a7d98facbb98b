#!/bin/bash
# the load clients wrk, ab, h2load against nginx (h2load -p h2c against nghttpd on PORT+1)
. "$(dirname "$0")/lib.sh"
do_start() { local p=$1 d=$2; "$APPS_DIR/nginx.sh" start "$p" "$d/ng" >/dev/null || return 1; mkdir -p "$d/ng"; AS=$NONROOT_USER spawn "$d" nghttpd -a "$BIND" --no-tls -d "$d/ng/www" -n 2 $((p+1)); ready "$d" $((p+1)); }
do_stop() { "$APPS_DIR/nginx.sh" stop x "$1/ng" >/dev/null; }
do_check() { local h=$1 p=$2 r a w b; 
  w=$(CT 15 wrk -t2 -c20 -d1s "http://$(U "$h"):$p/index.html" 2>&1); echo "$w" | grep -q 'Requests/sec' && ! echo "$w" | grep -qE 'Socket errors|Non-2xx' || die "wrk: $(echo "$w" | tail -3 | tr '\n' ' ')"
  a=$(CT 20 ab -q -n 1000 -c 20 "http://$(U "$h"):$p/index.html" 2>&1 | awk '/^Failed requests/{f=$3} /^Complete requests/{c=$3} END{print c"/"f}'); [ "$a" = 1000/0 ] || die "ab: $a"
  b=$(CT 20 h2load --h1 -n 1000 -c 20 "http://$(U "$h"):$p/index.html" 2>&1 | grep '^requests:'); echo "$b" | grep -q '1000 succeeded' || die "h2load h1: $b"
  r=$(CT 20 h2load -n 1000 -c 5 -m 10 "http://$(U "$h"):$((p+1))/f5.bin" 2>&1 | grep '^requests:'); echo "$r" | grep -q '1000 succeeded' || die "h2load h2c: $r"
  ok "wrk -t2 -c20 1s $(echo "$w" | awk '/Requests\/sec/{print int($2)}')/s, ab 1000, h2load h1 1000, h2c 1000 on nghttpd"; }
main "$@"
