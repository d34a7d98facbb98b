#!/bin/bash
# vsftpd as root with its real privilege separation: chroot, setuid ftp, clone(NEWPID|NEWIPC|NEWNET) isolation and seccomp sandbox as in Debian's default
FTPUSER=anonymous FTPPASS=x@y; . "$(dirname "$0")/_ftp.sh"
# listen_address6=:: binds a garbage address (vsftpd reads freed memory, on kernel TCP as well); without it any address is meant
do_start() { local p=$1 d=$2; ftp_data "$d"; mkdir -p "$d/empty"; chmod 555 "$d/empty"; chown -R root:root "$d/root"; chmod 755 "$d/root" "$d/root/pub"; chown ftp "$d/root/up" 2>/dev/null
  cat >"$d/v.conf" <<C
$(six && echo "listen_ipv6=YES" || echo "listen=YES")
background=NO
$([ "$BIND" = :: ] || { six && echo "listen_address6=$BIND" || echo "listen_address=$BIND"; })
listen_port=$p
anonymous_enable=YES
local_enable=NO
write_enable=YES
anon_upload_enable=YES
anon_umask=022
anon_root=$d/root
no_anon_password=YES
secure_chroot_dir=$d/empty
connect_from_port_20=NO
C
  spawn_rw "$d" vsftpd "$d/v.conf"   # vsftpd writes its start-up errors to fd 0: give it a writable one
  ready "$d" "$p"; }
do_check() { local r; r=$(ftp_check "$@") || die "$r"; ok "$r"; }
main "$@"
