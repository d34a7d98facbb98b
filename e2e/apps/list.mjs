/**
 * The programs of the matrix. `kind`: the first of each kind runs in every role in CI; `bytes` and `datagrams`: what its
 * check moves at least (a megabyte, no UDP).
 */
const apps = [
  ['sshd', 'OpenSSH sshd; ssh, scp, sftp', 'ssh', 'ssh -V'],
  ['apache-prefork', 'Apache httpd prefork; curl, wget, ab', 'web', 'apache2 -v'],
  ['apache-worker', 'Apache httpd worker; curl, wget, ab', 'web', 'apache2 -v'],
  ['apache-event', 'Apache httpd event; curl, wget, ab', 'web', 'apache2 -v'],
  ['apache-debug', 'Apache httpd -X; curl, wget, ab', 'web', 'apache2 -v'],
  ['nginx', 'nginx, 4 workers; curl, wget', 'web', 'nginx -v'],
  ['nginx-tls', 'nginx, TLS, HTTP/2; curl, openssl, h2load', 'web', 'nginx -v'],
  ['merecat', 'merecat (thttpd’s code line); curl, wget', 'web', '/opt/ftpd/root/usr/sbin/merecat -V'],
  ['mini-httpd', 'mini_httpd (by thttpd’s author); curl, wget', 'web', 'mini_httpd -V'],
  ['load-clients', 'wrk, ab, h2load; nginx, nghttpd', 'web', 'wrk -v'],
  ['node-http', 'Node.js http; http, fetch, net', 'node', 'node --version'],
  ['node-cluster', 'Node.js cluster; http, fetch, net', 'node', 'node --version'],
  ['node-threads', 'Node.js worker threads; http, fetch, net', 'node', 'node --version'],
  ['java-socket', 'Java ServerSocket; HttpClient, Socket, NIO', 'java', 'java -version'],
  ['java-nio', 'Java NIO selector; HttpClient, Socket, NIO', 'java', 'java -version'],
  ['java-httpserver', 'Java HttpServer; HttpClient, Socket, NIO', 'java', 'java -version'],
  ['tomcat', 'Tomcat; curl, wget', 'java', 'dpkg-query -s tomcat10 | grep ^Version'],
  ['vsftpd', 'vsftpd; curl, lftp, ftplib', 'ftp', 'dpkg-query -s vsftpd | grep ^Version'],
  [
    'vsftpd-root',
    'vsftpd, its sandbox and privilege separation; curl, lftp, ftplib',
    'ftp',
    'dpkg-query -s vsftpd | grep ^Version',
  ],
  ['pure-ftpd', 'Pure-FTPd; curl, lftp, ftplib', 'ftp', '/opt/ftpd/root/usr/sbin/pure-ftpd --help'],
  ['mariadb', 'MariaDB (MySQL); mariadb, mariadb-slap', 'database', 'mariadbd --version | grep -o "Ver [0-9.]*"'],
  ['postgresql', 'PostgreSQL; psql, pgbench', 'database', 'psql --version'],
  [
    'mongo-java-server',
    'mongo-java-server (MongoDB’s protocol); pymongo',
    'database',
    'ls /tmp/netcon-apps/mjs/lib | grep mongo-java-server-core',
  ],
  ['redis', 'Redis; redis-cli, redis-benchmark', 'store', 'redis-server --version'],
  ['memcached', 'memcached; Python', 'store', 'memcached -V', { datagrams: 2 }],
  ['python-http', 'Python http.server; urllib, curl, wget', 'python', '/usr/bin/python3 --version'],
  ['python-asyncio', 'Python asyncio', 'python', '/usr/bin/python3 --version', { datagrams: 2 }],
  ['iperf3', 'iperf3', 'tool', 'iperf3 --version', { datagrams: 100 }],
  ['nc', 'nc (OpenBSD)', 'tool', 'dpkg-query -s netcat-openbsd | grep ^Version', { datagrams: 2 }],
  ['dnsmasq', 'dnsmasq; dig', 'dns', 'dnsmasq --version', { datagrams: 80, bytes: 5000 }],
];

export const APPS = apps.map(([name, title, kind, version, moves], at) => ({
  name,
  title,
  kind,
  version,
  port: 20 * at,
  ...moves,
}));
