#!/bin/bash
. "$(dirname "$0")/lib.sh"
do_start() { local p=$1 d=$2
  AS=$NONROOT_USER spawn "$d" memcached -l "$(U "$BIND")" -p "$p" -U "$p" -m 32 -t 4 $([ "$(id -u)" = 0 ] && [ -z "${NONROOT_USER}" ] && echo -u nobody)
  ready "$d" "$p"; }
do_check() { local h=$1 p=$2 r
  r=$(CT 10 python3 - "$h" "$p" <<'P'
import socket,sys,os,threading
h,p=sys.argv[1],int(sys.argv[2])
def one(i):
    s=socket.create_connection((h,p),5); f=s.makefile('rwb'); v=os.urandom(200000)
    f.write(b'set k%d 0 0 %d\r\n'%(i,len(v))+v+b'\r\n'); f.flush(); assert f.readline()==b'STORED\r\n'
    f.write(b'get k%d\r\n'%i); f.flush(); f.readline(); assert f.read(len(v))==v; res.append(1)
res=[]; t=[threading.Thread(target=one,args=(i,)) for i in range(8)]; [x.start() for x in t]; [x.join() for x in t]; assert len(res)==8
u=socket.socket(socket.AF_INET6 if ":" in h else socket.AF_INET,socket.SOCK_DGRAM); u.settimeout(3)
u.sendto(b'\0\1\0\0\0\1\0\0version\r\n',(h,p)); d=u.recv(2000); assert b'VERSION' in d,d
print('8 connections x 200 kB set/get, UDP version')
P
) || die "$r"; ok "$r"; }
main "$@"
