#!/bin/bash
# nginx TLS 1.3 + HTTP/2 over OpenSSL 3; curl https (h1 and h2), openssl s_client
. "$(dirname "$0")/lib.sh"
do_start() { local p=$1 d=$2; web_root "$d"; mkdir -p "$d/t"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj /CN=nc -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" -keyout "$d/k.pem" -out "$d/c.pem" 2>/dev/null
  cat >"$d/nginx.conf" <<C
daemon off; worker_processes 2; pid $d/nginx.pid; error_log $d/error.log info; events { }
http { access_log off; sendfile on; client_body_temp_path $d/t/b; proxy_temp_path $d/t/p; fastcgi_temp_path $d/t/f; uwsgi_temp_path $d/t/u; scgi_temp_path $d/t/s;
 server { listen $(U "$BIND"):$p ssl http2; ssl_certificate $d/c.pem; ssl_certificate_key $d/k.pem; ssl_protocols TLSv1.2 TLSv1.3; root $d/www; } }
C
  AS=$NONROOT_USER spawn "$d" nginx -p "$d" -c "$d/nginx.conf" -e "$d/error.log"; ready "$d" "$p"; }
do_check() { local h=$1 p=$2 d=$3 o; for o in "--http1.1 --tlsv1.3" "--http2 --tlsv1.3" "--http2 --tls-max 1.2"; do [ "$(CT 10 curl -sk -m 8 --noproxy '*' $o "https://$(U "$h"):$p/big.bin" | sha256sum | cut -c1-64)" = "$(cat "$d/big.sha")" ] || die "curl $o"; done
  printf 'GET /index.html HTTP/1.0\r\n\r\n' | CT 8 openssl s_client -quiet -connect "$(U "$h"):$p" 2>/dev/null | grep -q hello-netcon || die "s_client"
  CT 20 h2load -n 400 -c 8 -m 8 "https://$(U "$h"):$p/f5.bin" 2>&1 | grep -q '400 succeeded' || die h2load; ok "curl h1/h2 TLS 1.3, h2 TLS 1.2, s_client, h2load 400 over TLS"; }
main "$@"
