#!/bin/bash
# OpenSSH sshd as an unprivileged user (no privsep chroot, no PAM), pubkey; clients ssh, scp, sftp (and the legacy scp -O)
. "$(dirname "$0")/lib.sh"
SSHUSER=${SSHUSER:-netcon-ssh}
if [ "$(id -u)" = 0 ]; then
  id "$SSHUSER" >/dev/null 2>&1 || useradd -M -d /nonexistent -s /bin/bash -p '*' "$SSHUSER"   # real shell; '*' = no password but not locked
else SSHUSER=$(id -un); fi
do_start() {
  local p=$1 d=$2
  rm -f "$d"/hk "$d"/hk.pub "$d"/ck "$d"/ck.pub
  ssh-keygen -q -t ed25519 -N '' -f "$d/hk"; ssh-keygen -q -t ed25519 -N '' -f "$d/ck"
  cp "$d/ck.pub" "$d/authorized_keys"; cp "$d/ck" "$d/ck.client"; chmod 600 "$d/ck.client"
  cat >"$d/sshd_config" <<C
Port $p
ListenAddress $BIND
HostKey $d/hk
PidFile $d/sshd.pid
AuthorizedKeysFile $d/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PermitUserEnvironment no
Subsystem sftp /usr/lib/openssh/sftp-server
LogLevel VERBOSE
UseDNS no
C
  AS=$SSHUSER spawn "$d" /usr/sbin/sshd -D -e -f "$d/sshd_config"   # absolute path is demanded (it re-execs itself)
  ready "$d" "$p"
}
do_check() {
  local h=$1 p=$2 d=$3 t; t=$(mktemp -d)
  local o="-F none -i $d/ck.client -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=$t/kh -o BatchMode=yes -o ConnectTimeout=8 -o LogLevel=ERROR"
  [ "$(CT 15 ssh $o -p "$p" "$SSHUSER@$h" 'echo over-ssh $((6*7))' </dev/null)" = "over-ssh 42" ] || die "ssh command"
  head -c 3000000 /dev/urandom >"$t/a"; chmod 644 "$t/a"; chmod 755 "$t"
  CT 15 ssh $o -p "$p" "$SSHUSER@$h" 'cat' <"$t/a" >"$t/b" && cmp -s "$t/a" "$t/b" || die "ssh cat 3 MB"
  mkdir -p "$d/up"; [ "$(id -u)" = 0 ] && chown "$SSHUSER" "$d/up"
  CT 15 scp -q $o -P "$p" "$t/a" "$SSHUSER@$(U "$h"):$d/up/scp" && cmp -s "$t/a" "$d/up/scp" || die "scp (sftp protocol)"
  CT 15 scp -O -q $o -P "$p" "$t/a" "$SSHUSER@$(U "$h"):$d/up/scpO" && cmp -s "$t/a" "$d/up/scpO" || die "scp -O"
  printf 'get %s/up/scp %s/back\nls %s/up\n' "$d" "$t" "$d" >"$t/batch"
  CT 15 sftp -q -b "$t/batch" $o -P "$p" "$SSHUSER@$(U "$h")" >"$t/out" && cmp -s "$t/a" "$t/back" && grep -q scpO "$t/out" || die "sftp"
  # port forwarding: sshd connects back to itself
  local lp=$((p+7)); timeout 15 $CLIENT_PREFIX ssh $o -N -L "127.0.0.1:$lp:$(U "$h"):$p" -p "$p" "$SSHUSER@$h" </dev/null >/dev/null 2>&1 & local tp=$! b=
  for i in $(seq 1 40); do b=$(timeout 2 $CLIENT_PREFIX bash -c "exec 3<>/dev/tcp/127.0.0.1/$lp; head -c 7 <&3" 2>/dev/null | tr -d '\0'); [ "$b" = SSH-2.0 ] && break; sleep 0.1; done
  kill $tp 2>/dev/null; wait $tp 2>/dev/null
  rm -rf "$t"; [ "$b" = SSH-2.0 ] || die "ssh -L"
  ok "ssh command + 3 MB cat, scp, scp -O, sftp get/ls, ssh -L"
}
main "$@"
