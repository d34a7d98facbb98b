/**
 * Those of CPython's test modules that use sockets, and of the others the classes that do. `without`: classes left out.
 * A name alone stands for itself.
 */
const of = (module, classes) => classes.map((name) => `${module}.${name}`);

const modules = [
  {
    title: 'test_socket',
    names: ['test.test_socket'],
    // The kernel's own vsock, which is none of netcon's: a host without a hypervisor hangs in it.
    without: ['test.test_socket.ThreadedVSOCKSocketStreamTest', 'test.test_socket.BasicVSOCKTest'],
  },
  'test_ssl',
  'test_imaplib',
  'test_xmlrpc',
  'test_asyncore',
  'test_selectors',
  'test_poll',
  'test_ftplib',
  {
    title: 'test_logging',
    names: of('test.test_logging', [
      'SMTPHandlerTest',
      'SocketHandlerTest',
      'UnixSocketHandlerTest',
      'DatagramHandlerTest',
      'UnixDatagramHandlerTest',
      'SysLogHandlerTest',
      'UnixSysLogHandlerTest',
      'IPv6SysLogHandlerTest',
      'HTTPHandlerTest',
      'ConfigDictTest',
    ]),
  },
  {
    title: 'test_multiprocessing_fork',
    names: of('test.test_multiprocessing_fork', [
      'WithManagerTestRemoteManager',
      'WithProcessesTestConnection',
      'WithProcessesTestListener',
      'WithProcessesTestListenerClient',
      'WithProcessesTestPicklingConnections',
      'WithProcessesTestPoll',
      'TestWait',
    ]),
  },
  'test_eintr',
  {
    title: 'test_signal',
    names: of('test.test_signal', ['WakeupFDTests', 'WakeupSocketSignalTests', 'SiginterruptTest']),
  },
  { title: 'test_os', names: ['test.test_os.TestSendfile'] },
  { title: 'test_subprocess', names: ['test.test_subprocess.POSIXProcessTestCase'] },
  'test_poplib',
  'test_asynchat',
  'test_docxmlrpc',
  'test_epoll',
  'test_httplib',
  'test_httpservers',
  'test_nntplib',
  'test_pydoc',
  'test_robotparser',
  'test_select',
  'test_smtpd',
  'test_smtplib',
  'test_socketserver',
  'test_support',
  'test_telnetlib',
  'test_timeout',
  'test_urllib2',
  'test_urllib2_localnet',
  'test_wsgiref',
  'test_asyncio.test_base_events',
  'test_asyncio.test_buffered_proto',
  'test_asyncio.test_events',
  'test_asyncio.test_pep492',
  'test_asyncio.test_runners',
  'test_asyncio.test_selector_events',
  'test_asyncio.test_sendfile',
  'test_asyncio.test_server',
  'test_asyncio.test_sock_lowlevel',
  'test_asyncio.test_ssl',
  'test_asyncio.test_sslproto',
  'test_asyncio.test_streams',
  'test_asyncio.test_subprocess',
  'test_asyncio.test_transports',
  'test_asyncio.test_unix_events',
];

export const MODULES = modules.map((entry) => {
  const { title, names, without = [] } = typeof entry === 'string' ? { title: entry, names: [`test.${entry}`] } : entry;
  return { title, names, without };
});
