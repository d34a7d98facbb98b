#!/bin/bash
# vsftpd without root: run_as_launching_user, anonymous user mapped on DIR/root; foreground (background=NO), its own sandbox (seccomp) off by default
FTPUSER=anonymous FTPPASS=x@y; . "$(dirname "$0")/_ftp.sh"
# listen_address6=:: binds a garbage address (vsftpd reads freed memory, on kernel TCP as well); without it any address is meant
do_start() { local p=$1 d=$2; ftp_data "$d"
  cat >"$d/v.conf" <<C
$(six && echo "listen_ipv6=YES" || echo "listen=YES")
background=NO
$([ "$BIND" = :: ] || { six && echo "listen_address6=$BIND" || echo "listen_address=$BIND"; })
listen_port=$p
run_as_launching_user=YES
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_umask=022
anon_root=$d/root
no_anon_password=YES
connect_from_port_20=NO
seccomp_sandbox=${VSFTPD_SECCOMP:-NO}
isolate=${VSFTPD_ISOLATE:-NO}
isolate_network=${VSFTPD_ISOLATE:-NO}
xferlog_enable=YES
vsftpd_log_file=$d/xfer.log
xferlog_std_format=NO
C
  AS=$NONROOT_USER spawn_rw "$d" vsftpd "$d/v.conf"   # vsftpd writes its start-up errors to fd 0: give it a writable one
  ready "$d" "$p"; }
do_check() { local r; r=$(ftp_check "$@") || die "$r"; ok "$r"; }
main "$@"
