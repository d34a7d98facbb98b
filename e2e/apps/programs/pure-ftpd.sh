#!/bin/bash
# pure-ftpd needs root (chroot + privsep helper); PureDB virtual user in DIR; foreground without -B
FTPUSER=vu FTPPASS=secret; . "$(dirname "$0")/_ftp.sh"
PFR=${PFR:-/opt/ftpd/root/usr}; [ -x /usr/sbin/pure-ftpd ] && PFR=/usr
do_start() { local p=$1 d=$2; ftp_data "$d"
  local u; u=$(id -u "$NONROOT_USER"); 
  chown -R "$NONROOT_USER" "$d/root"
  # pure-pw's own argon2id takes 3 s per login on purpose; PureDB also takes crypt(3) hashes
  printf 'vu:%s:%s:%s::%s/./::::::::::::\n' "$(openssl passwd -6 secret)" "$u" "$(id -g "$NONROOT_USER")" "$d/root" >"$d/pw"; "$PFR/bin/pure-pw" mkdb "$d/pdb" -f "$d/pw" || return 1
  spawn "$d" "$PFR/sbin/pure-ftpd" $(six && echo -6 || echo -4) -S "$BIND,$p" -l "puredb:$d/pdb" -u 100 -E -H -A -g "$d/pf.pid" -O "clf:$d/xfer.log" -f none
  ready "$d" "$p"; }
do_check() { local r; r=$(ftp_check "$@") || die "$r"; ok "$r"; }
main "$@"
