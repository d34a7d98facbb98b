# sourced by apache-*.sh with MPM=prefork|worker|event and FLAGS
. "$(dirname "$0")/lib.sh"
do_start() {
  local p=$1 d=$2 m=/usr/lib/apache2/modules; web_root "$d"
  mkdir -p "$d/www/cgi"; printf '#!/bin/sh\necho "Content-Type: text/plain"\necho\necho "cgi $REQUEST_METHOD"\n' >"$d/www/cgi/t.sh"; chmod 755 "$d/www/cgi/t.sh"
  local cgi=cgid; [ "$MPM" = prefork ] && cgi=cgi
  cat >"$d/httpd.conf" <<C
ServerRoot "$d"
ServerName localhost
DefaultRuntimeDir $d
PidFile $d/httpd.pid
Mutex file:$d
ErrorLog $d/error.log
LogLevel info
Listen $(U "$BIND"):$p
LoadModule mpm_${MPM}_module $m/mod_mpm_${MPM}.so
LoadModule authz_core_module $m/mod_authz_core.so
LoadModule dir_module $m/mod_dir.so
LoadModule mime_module $m/mod_mime.so
LoadModule ${cgi}_module $m/mod_${cgi}.so
LoadModule env_module $m/mod_env.so
LoadModule alias_module $m/mod_alias.so
$([ $cgi = cgid ] && echo "ScriptSock $d/cgid.sock")
TypesConfig /etc/mime.types
DocumentRoot $d/www
User $NONROOT_USER
Group $(id -gn "$NONROOT_USER")
StartServers ${START_SERVERS:-$([ "$MPM" = prefork ] && echo 10 || echo 2)}
KeepAlive On
EnableSendfile ${APACHE_SENDFILE:-On}
EnableMMAP On
<Directory $d/www>
  Require all granted
  Options +ExecCGI +SymLinksIfOwnerMatch
  AddHandler cgi-script .sh
</Directory>
SetEnv GIT_PROJECT_ROOT $d/git
SetEnv GIT_HTTP_EXPORT_ALL
SetEnv GIT_CONFIG_COUNT 1
SetEnv GIT_CONFIG_KEY_0 safe.directory
SetEnv GIT_CONFIG_VALUE_0 *
ScriptAlias /git/ /usr/lib/git-core/git-http-backend/
<Directory /usr/lib/git-core>
  Require all granted
  Options +ExecCGI
</Directory>
C
  AS=$NONROOT_USER spawn "$d" /usr/sbin/apache2 -d "$d" -f "$d/httpd.conf" $FLAGS
  ready "$d" "$p"
}
do_check() { local r g; r=$(web_check "$@") || die "$r"
  g=$(CT 8 curl -sS -m 6 --noproxy '*' "http://$(U "$1"):$2/cgi/t.sh" 2>&1); [ "$g" = "cgi GET" ] || die "cgi: $g"
  if [ "${AB:-1}" = 1 ]; then g=$(CT 20 ab -q -n 400 -c 10 -k "http://$(U "$1"):$2/index.html" 2>&1 | awk '/^Failed requests/{f=$3} /^Complete requests/{c=$3} END{print c"/"f}'); [ "$g" = 400/0 ] || die "ab -k: complete/failed $g"; fi
  ok "$r, CGI, ab -n400 -c10 -k"; }
main "$@"
