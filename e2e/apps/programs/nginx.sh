#!/bin/bash
# nginx, master + 4 workers, foreground; curl/wget + wrk, ab and h2load as clients; reverse proxy to itself; HTTP/2 cleartext; optional reuseport
. "$(dirname "$0")/lib.sh"
do_start() {
  local p=$1 d=$2; web_root "$d"; mkdir -p "$d/t"
  cat >"$d/nginx.conf" <<C
daemon off;
worker_processes ${WORKERS:-4};
$([ "$(id -u)" = 0 ] && [ -z "${ROOTLESS:-1}" ] && echo "user $NONROOT_USER;")
pid $d/nginx.pid;
error_log $d/error.log info;
events { worker_connections 512; ${NGX_EVENTS:-} }
http {
  access_log off; sendfile ${NGX_SENDFILE:-on}; tcp_nopush on; keepalive_timeout 30;
  client_body_temp_path $d/t/b; proxy_temp_path $d/t/p; fastcgi_temp_path $d/t/f; uwsgi_temp_path $d/t/u; scgi_temp_path $d/t/s;
  server { listen $(U "$BIND"):$p ${NGX_LISTEN:-}; root $d/www;
    location /px/ { proxy_pass http://$(U "$READY_HOST"):$p/; proxy_http_version 1.1; } }
}
C
  AS=$NONROOT_USER spawn "$d" nginx -p "$d" -c "$d/nginx.conf" -e "$d/error.log"
  ready "$d" "$p"
}
do_check() { local r g; r=$(web_check "$@") || die "$r"
  g=$(CT 10 curl -sS -m 8 --noproxy '*' "http://$(U "$1"):$2/px/big.bin" 2>/dev/null | sha256sum | cut -c1-64); [ "$g" = "$(cat "$3/big.sha")" ] || die "proxy_pass to itself"
  ok "$r, proxy_pass 8 MiB"; }
main "$@"
