#!/bin/bash
# Debian tomcat10 (or the embedded jars), CATALINA_BASE in DIR, foreground via Bootstrap start; CONNECTOR=nio (org.apache.coyote.http11.Http11NioProtocol) or nio2
. "$(dirname "$0")/lib.sh"
CH=${CATALINA_HOME:-/usr/share/tomcat10}
do_start() { local p=$1 d=$2; web_root "$d"; mkdir -p "$d/base"/{conf,logs,temp,work,webapps}
  cp -r /etc/tomcat10/web.xml /etc/tomcat10/catalina.properties "$d/base/conf/" ; : >"$d/base/conf/logging.properties"
  cp -r "$d/www" "$d/base/webapps/ROOT"; mkdir -p "$d/base/webapps/ROOT/WEB-INF"
  printf '<%%@ page contentType="text/plain" %%>jsp <%%= 6*7 %%>' >"$d/base/webapps/ROOT/t.jsp"
  cat >"$d/base/conf/server.xml" <<C
<Server port="-1"><Service name="Catalina"><Connector port="$p" address="$BIND" protocol="${CONNECTOR:-org.apache.coyote.http11.Http11NioProtocol}" useSendfile="${TOMCAT_SENDFILE:-true}"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/></Engine></Service></Server>
C
  AS=$NONROOT_USER spawn "$d" java -Xmx384m -XX:-UsePerfData -Djava.io.tmpdir="$d/base/temp" -Dcatalina.home="$CH" -Dcatalina.base="$d/base" -Djava.util.logging.config.file="$d/base/conf/logging.properties" -cp "$CH/bin/bootstrap.jar:$CH/bin/tomcat-juli.jar" org.apache.catalina.startup.Bootstrap start
  ready "$d" "$p" $CLIENT_PREFIX curl -sf -m 3 --noproxy '*' -o /dev/null "http://$(U "$READY_HOST"):$p/index.html"; }
do_check() { local r g; r=$(web_check "$@") || die "$r"; g=$(CT 15 curl -sS -m 12 --noproxy '*' "http://$(U "$1"):$2/t.jsp" 2>&1); [ "$g" = "jsp 42" ] || die "jsp: $g"; ok "$r, JSP"; }
main "$@"
