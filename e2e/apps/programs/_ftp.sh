# sourced by the ftp scripts: USERPASS (user:pass), ftp_data DIR (puts files), ftp_check
. "$(dirname "$0")/lib.sh"
ftp_data() { mkdir -p "$1/root/pub" "$1/root/up"; head -c 3000000 /dev/urandom >"$1/root/pub/a.bin"; for i in 1 2 3 4; do head -c $((i*7000)) /dev/urandom >"$1/root/pub/f$i"; done; chmod -R a+rX "$1/root"; chmod 777 "$1/root/up"; chmod 555 "$1/root"; }
ftp_check() { # HOST PORT DIR ; env FTPUSER FTPPASS UP=1 if uploads work
  local h=$1 p=$2 d=$3 t u="ftp://$(U "$1"):$2" c; t=$(mktemp -d)
  local cu=(curl -sS -m 10 --noproxy '*' -u "$FTPUSER:$FTPPASS")
  for m in "" "--disable-epsv" "--ftp-port -" "--disable-eprt --ftp-port -"; do
    CT 15 "${cu[@]}" $m -o "$t/a" "$u/pub/a.bin" 2>"$t/err" && cmp -s "$t/a" "$d/root/pub/a.bin" || { echo "curl $m: $(head -c 200 "$t/err")"; return 1; }
    CT 15 "${cu[@]}" $m "$u/pub/" 2>"$t/err" | grep -q f3 || { echo "curl list $m: $(head -c 200 "$t/err")"; return 1; }
  done
  if [ "${UP:-1}" = 1 ]; then for m in "" "--ftp-port -"; do
    CT 15 "${cu[@]}" $m -T "$t/a" "$u/up/u$RANDOM" 2>"$t/err" || { echo "curl upload $m: $(head -c 200 "$t/err")"; return 1; }; done
    for c in "$d"/root/up/u*; do cmp -s "$c" "$t/a" || { echo "upload differs"; return 1; }; done; fi
  CT 20 lftp -u "$FTPUSER,$FTPPASS" -p "$p" -e "set net:timeout 8; set net:max-retries 1; set ftp:ssl-allow no; set ftp:passive-mode on; mirror -P 3 pub $t/m; bye" "$h" >"$t/err" 2>&1 && cmp -s "$t/m/f4" "$d/root/pub/f4" || { echo "lftp mirror passive: $(head -c 300 "$t/err")"; return 1; }
  CT 20 lftp -u "$FTPUSER,$FTPPASS" -p "$p" -e "set net:timeout 8; set net:max-retries 1; set ftp:ssl-allow no; set ftp:passive-mode off; mirror -P 3 pub $t/m2; bye" "$h" >"$t/err" 2>&1 && cmp -s "$t/m2/f4" "$d/root/pub/f4" || { echo "lftp mirror active: $(head -c 300 "$t/err")"; return 1; }
  c=$(CT 20 python3 - "$h" "$p" "$FTPUSER" "$FTPPASS" "$d" <<'P'
import sys,ftplib
h,p,u,pw,d=sys.argv[1:]
want=open(d+'/root/pub/a.bin','rb').read()
for pasv in (True,False):
    f=ftplib.FTP(timeout=8); f.connect(h,int(p)); f.login(u,pw); f.set_pasv(pasv); f.voidcmd('TYPE I')
    b=bytearray(); f.retrbinary('RETR pub/a.bin',b.extend); assert bytes(b)==want,(pasv,len(b))
    assert 'pub' in ' '.join(f.nlst()); f.quit()
print('python')
P
) || { echo "ftplib: $c"; return 1; }
  rm -rf "$t"; echo "curl RETR+LIST EPSV/PASV/EPRT/PORT, STOR passive+active, lftp mirror -P3 passive+active, ftplib both"
}
spawn_rw() { local d=$1; shift   # like spawn, fd 0 = the log, read-write
  local drop=(); if [ -n "${AS:-}" ] && [ "$(id -u)" = 0 ]; then chown -R "$AS" "$d"; drop=(setpriv "--reuid=$AS" "--regid=$(id -g "$AS")" --clear-groups env "HOME=$d"); fi
  ( cd "$d" && exec setsid "${drop[@]}" $SERVER_PREFIX "$@" 0<>"$d/log" >>"$d/log" 2>&1 ) & echo $! >"$d/pid"; cat "$d/pid" >>"$d/pids"; }
