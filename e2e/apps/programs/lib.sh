# lib.sh - common shape of every app script:
#   APP.sh start PORT DIR      starts the server in the foreground way, prints its pid, returns when ready
#   APP.sh check HOST PORT DIR one line, exit 0/1
#   APP.sh stop PORT DIR       (or: stop DIR) ends exactly what start began, by pid / process group
# Environment:
#   SERVER_PREFIX  words put before the server's command line ('' = plain kernel)
#   CLIENT_PREFIX  words put before every client command
#   BIND           address the server binds (127.0.0.1)
#   READY_HOST     address the readiness probe connects to (BIND, or 127.0.0.1 for 0.0.0.0)
#   READY_TIMEOUT  seconds (40)
#   NONROOT_USER   account used, when we are root, for what refuses/should not run as root (nobody)
set -u
APPS_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${WORK:=${TMPDIR:-/tmp}/netcon-apps}"; : "${PYLIBS:=$WORK/venv/lib/python3.11/site-packages}"
: "${SERVER_PREFIX:=}" "${CLIENT_PREFIX:=}" "${BIND:=127.0.0.1}" "${READY_TIMEOUT:=40}" "${NONROOT_USER:=nobody}"
: "${READY_HOST:=$(case $BIND in 0.0.0.0) echo 127.0.0.1 ;; ::) echo ::1 ;; *) echo "$BIND" ;; esac)}"
# an address as a URL and most configurations want it
U() { case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac; }
six() { case $BIND in *:*) true ;; *) false ;; esac; }
export LC_ALL=C.UTF-8
unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy 2>/dev/null || :
APP=$(basename "$0" .sh)

die() { echo "$APP: FAIL $*"; exit 1; }
ok() { echo "$APP: ok $*"; exit 0; }
# client command
C() { $CLIENT_PREFIX "$@"; }
CT() { local t=$1; shift; timeout "$t" $CLIENT_PREFIX "$@"; }

# spawn DIR cmd...   ($SERVER_PREFIX goes in front; AS=user drops to that user first, when root)
spawn() {
  local d=$1; shift
  local drop=()
  if [ -n "${AS:-}" ] && [ "$(id -u)" = 0 ]; then
    chown -R "$AS" "$d"
    drop=(setpriv "--reuid=$AS" "--regid=$(id -g "$AS")" --clear-groups env "HOME=$d" "USER=$AS" "LOGNAME=$AS")
  fi
  ( cd "$d" && exec setsid "${drop[@]}" $SERVER_PREFIX "$@" <"${STDIN:-/dev/null}" >>"$d/log" 2>&1 ) &
  echo $! >"$d/pid.tmp"
  # setsid(1) forks only when it is a group leader; in ( exec ) it is not, so $! is the server / the prefix
  cat "$d/pid.tmp" >>"$d/pids"; mv "$d/pid.tmp" "$d/pid"
}
alive() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }
probe_tcp() { timeout 3 $CLIENT_PREFIX bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; }
# ready DIR PORT [probe-command...]
ready() {
  local d=$1 p=$2; shift 2
  local pid end; pid=$(cat "$d/pid"); end=$((SECONDS + READY_TIMEOUT))
  while [ $SECONDS -le $end ]; do
    alive "$pid" || { echo "$APP: server ended early; log:" >&2; tail -20 "$d/log" >&2; return 1; }
    if [ $# -gt 0 ]; then "$@" >/dev/null 2>&1 && { echo "$pid"; return 0; }
    else probe_tcp "$READY_HOST" "$p" && { echo "$pid"; return 0; }; fi
    sleep 0.1
  done
  echo "$APP: not ready in ${READY_TIMEOUT}s; log:" >&2; tail -20 "$d/log" >&2; return 1
}
# processes of the sessions we began (setsid => sid == pid)
left() { local p; for p in $(cat "$1/pids" 2>/dev/null); do pgrep -r R,S,D,T,I -s "$p" 2>/dev/null; done; }
STOP_SIGNAL=${STOP_SIGNAL:-TERM}
stop_all() {
  local d=$1 p i n=0
  for p in $(tac "$d/pids" 2>/dev/null); do
    kill -"$STOP_SIGNAL" "$p" 2>/dev/null
    for i in $(seq 1 100); do alive "$p" || break; sleep 0.1; done
    if alive "$p"; then kill -KILL "$p" 2>/dev/null; n=1; fi
    # the rest of the process group / session, if anything stayed
    for i in $(seq 1 30); do [ -z "$(pgrep -r R,S,D,T,I -s "$p" 2>/dev/null)" ] && break; [ "$i" = 10 ] && kill -TERM -- "-$p" 2>/dev/null; sleep 0.1; done
    kill -KILL -- "-$p" 2>/dev/null
  done
  sleep 0.05
  if [ -n "$(left "$d")" ]; then echo "$APP: stop: LEFT $(left "$d" | tr '\n' ' ')"; rm -f "$d/pids"; return 1; fi
  rm -f "$d/pids"; [ $n = 0 ] && echo "$APP: stopped" || echo "$APP: stopped (had to KILL)"
}
web_root() { # DIR: DIR/www with index.html, big.bin (8 MiB), big.sha
  local w=$1/www; mkdir -p "$w"
  echo "hello-netcon $APP" >"$w/index.html"
  for i in 1 2 3 4 5; do head -c $((i*1000)) /dev/urandom >"$w/f$i.bin"; done
  head -c 8388608 /dev/urandom >"$w/big.bin"; sha256sum <"$w/big.bin" | cut -c1-64 >"$1/big.sha"
  chmod -R a+rX "$1"
}
# web_check HOST PORT DIR [base-url]: index, 8 MiB body by hash, 8 parallel curls, wget
web_check() {
  local h=$1 p=$2 d=$3 base=${4:-http://$(U "$1"):$2} t; t=$(mktemp -d)
  CT 10 curl -sS -m 8 --noproxy '*' "$base/index.html" >"$t/i" 2>"$t/err" && grep -q hello-netcon "$t/i" || { echo "index: $(cat "$t/i" "$t/err" | head -c 300)"; rm -rf "$t"; return 1; }
  CT 20 curl -sS -m 18 --noproxy '*' "$base/big.bin" >"$t/b" 2>"$t/err"; [ "$(sha256sum <"$t/b" | cut -c1-64)" = "$(cat "$d/big.sha")" ] || { echo "big.bin: wrong hash, $(stat -c %s "$t/b") bytes $(cat "$t/err")"; rm -rf "$t"; return 1; }
  CT 20 curl -sS -m 18 --noproxy '*' --parallel --parallel-max 8 -o "$t/1" "$base/f1.bin" -o "$t/2" "$base/f2.bin" -o "$t/3" "$base/f3.bin" -o "$t/4" "$base/f4.bin" -o "$t/5" "$base/f5.bin" -o "$t/6" "$base/index.html" -o "$t/7" "$base/index.html" -o "$t/8" "$base/big.bin" 2>"$t/err" || { echo "parallel: $(cat "$t/err" | head -c 300)"; rm -rf "$t"; return 1; }
  for i in 1 2 3 4 5; do cmp -s "$t/$i" "$d/www/f$i.bin" || { echo "parallel: f$i differs"; rm -rf "$t"; return 1; }; done
  cmp -s "$t/8" "$d/www/big.bin" || { echo "parallel: big differs"; rm -rf "$t"; return 1; }
  CT 10 wget -q --no-proxy -T 8 -t 1 -O "$t/w" "$base/index.html" && grep -q hello-netcon "$t/w" || { echo "wget failed"; rm -rf "$t"; return 1; }
  rm -rf "$t"; echo "curl index + 8 MiB sha256 + 8 parallel, wget"; return 0
}
# main: the script defines do_start PORT DIR, do_check HOST PORT DIR
main() {
  local v=${1:-}; shift || :
  case $v in
    start) PORT=$1; DIR=$2; mkdir -p "$DIR"; chmod 755 "$DIR"; : >>"$DIR/log"; do_start "$PORT" "$DIR" || { stop_all "$DIR" >&2; exit 1; } ;;
    check) do_check "$1" "$2" "$3" ;;
    stop) DIR=${2:-$1}; if declare -F do_stop >/dev/null; then do_stop "$DIR"; fi; stop_all "$DIR" ;;
    *) echo "usage: $APP.sh start PORT DIR | check HOST PORT DIR | stop PORT DIR" >&2; exit 2 ;;
  esac
}
