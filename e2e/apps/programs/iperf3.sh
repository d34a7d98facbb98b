#!/bin/bash
# iperf3 server (one client at a time); note: iperf3 3.12 -J exits 0 even when it could not connect: judge by the JSON
. "$(dirname "$0")/lib.sh"
do_start() { local p=$1 d=$2; AS=$NONROOT_USER spawn "$d" iperf3 -s -B "$BIND" -p "$p" --forceflush; ready "$d" "$p" grep -q listening "$d/log"; }
do_check() { local h=$1 p=$2 o v r=; for f in "" "-R" "-P 3" "-u -b 20M" "-u -b 20M -R"; do
  o=$(CT 15 iperf3 -c "$h" -p "$p" -t 1 -J $f 2>&1)
  v=$(echo "$o" | python3 -c 'import json,sys
j=json.load(sys.stdin)
if "error" in j: sys.exit(j["error"])
e=j["end"]; x=e.get("sum_received") or e["sum"]; b=x["bits_per_second"]/1e6
if b<=0: sys.exit("no data")
if "lost_percent" in e.get("sum",{}) and e["sum"]["lost_percent"]>5: sys.exit("udp loss %s%%"%e["sum"]["lost_percent"])
print("%.0f"%b)' 2>&1) || die "iperf3 $f: $(echo "$v" | tail -1)"; r="$r $v"; sleep 0.1; done
  ok "Mbit/s tcp, -R, -P 3, udp, udp -R:$r"; }
main "$@"
