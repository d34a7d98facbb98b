import { version } from '@netcon/api/version';
import { Command, InvalidArgumentError } from 'commander';
import type { Launch } from './launch.js';
import type { ServiceFlags } from './service.js';

/** What the commands share with main.ts. */
export interface State {
  launch: Launch;
  /** Set by a command that becomes or runs a program: its failures have exit statuses of their own. */
  runsApp: boolean;
}

/** The command line. Commands import what they need when they run: `netcon intercept` is to start fast. */
export function createProgram(state: State): Command {
  const program = new Command('netcon')
    .description('A TCP/IP network of their own for unmodified Linux programs, in user space.')
    .version(version(), '-V, --version', 'print the version')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'netcon: ')) })
    .showHelpAfterError('(netcon --help explains)')
    .addHelpText('after', TOP_EXAMPLES);
  addService(program, state);
  addIntercept(program, state);
  addShow(program);
  return program;
}

function addService(program: Command, state: State): void {
  program
    .command('service')
    .summary('run the service, and an app in it')
    .description('Runs the service until SIGINT or SIGTERM; with an app, until the app ends, and with its exit status.')
    .argument('[app...]', 'a program to run intercepted, and its arguments')
    .passThroughOptions()
    .option('--tap <name>', 'the tap device to make or use (default: netcon0)')
    .option('--no-tap', 'no link: programs reach each other only')
    .option('--address <cidr>', 'an address of the stack; repeatable (default: 10.77.0.2/24, fd77::2/64)', collect)
    .option(
      '--host-address <cidr>',
      "the host's address on the tap; repeatable (default: 10.77.0.1/24, fd77::1/64)",
      collect,
    )
    .option('--gateway <ip>', 'where packets for other networks go; repeatable, one per family', collect)
    .option('--resolver <address>', 'a DNS server, IP or IP:PORT; repeatable (default: those of resolv.conf)', collect)
    .option('--no-dns', 'look names up in /etc/hosts only')
    .option('--socket <path>', "the service's socket")
    .option('--name <name>', 'a name, for several services side by side (default: netcon)')
    .option('--allow <who>', 'user:NAME, group:NAME or all may join; repeatable (default: your user)', collect)
    .option('--library <file>', 'put a copy of the library there, for containers; it stays')
    .option('--capture <file>', 'write what crosses the link to a pcap file')
    .option('--fault <spec>', 'inject faults: loss=1%,delay=20ms,jitter=5ms,reorder=1%,duplicate=1%,seed=7')
    .option('--no-offload', 'no checksum and segmentation offload on the tap')
    .option('--congestion <name>', 'congestion control of TCP: cubic, reno or bbr (default: cubic)')
    .option('--no-shortcut', 'connections between two programs in netcon go through the stack, too')
    .option(
      '--busy-poll <us>',
      'look so many microseconds for work before sleeping; 0 to sleep at once (default: 50, with one processor 0)',
      micros,
    )
    .option('--max-sessions <n>', 'how many programs may join (default: 4096)', count)
    .option('--max-sockets <n>', 'how many sockets they may have (default: 65536, or what RLIMIT_NOFILE allows)', count)
    .addHelpText('after', SERVICE_EXAMPLES)
    .action(async (app: string[], flags: ServiceFlags) => {
      state.runsApp = app.length > 0;
      const { runService } = await import('./service.js');
      await runService(app, flags, state.launch);
    });
}

function addIntercept(program: Command, state: State): void {
  program
    .command('intercept')
    .summary('run an app in a running service')
    .description(
      'Becomes the app (same pid, terminal, working directory, exit status), with its TCP sockets in the service.\n' +
        '`netcon intercept show [app]` says what would be preloaded, and which service would be used.',
    )
    .argument('<app...>', 'the program and its arguments')
    .passThroughOptions()
    .option('--socket <path>', "the service's socket (default: $NETCON_SOCKET, else the usual places)")
    .option('--name <name>', 'the name of the service')
    .option('--bypass <who>', "all, or networks that go to the kernel's own stack; repeatable", collect)
    .option('--strict', "refuse to start what can't be intercepted, also in the app's children")
    .option('--trace <file>', 'write one line per intercepted call')
    .option('--json', 'show: machine-readable output')
    .addHelpText('after', INTERCEPT_EXAMPLES)
    .action(async (app: [string, ...string[]], flags) => {
      const { runIntercept, showIntercept } = await import('./intercept.js');
      if (app[0] === 'show') return showIntercept(app.slice(1), flags);
      state.runsApp = true;
      runIntercept(app, flags, state.launch);
    });
}

function addShow(program: Command): void {
  program
    .command('show')
    .summary('what the service holds')
    .description('Shows what the service holds, as ss(8) shows what the kernel holds.')
    .argument('[what]', 'sockets, sessions, status or stats', 'sockets')
    .option('--socket <path>', "the service's socket (default: $NETCON_SOCKET, else the usual places)")
    .option('--name <name>', 'the name of the service')
    .option('--state <state>', 'sockets: only those in that state, e.g. listen')
    .option('--pid <pid>', 'sockets: only those of that process', count)
    .option('--json', 'machine-readable output')
    .addHelpText('after', SHOW_EXAMPLES)
    .action(async (what: string, flags) => {
      const { show } = await import('./show.js');
      process.stdout.write(await show(what, flags));
    });
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function micros(value: string): number {
  if (/^\d+$/.test(value)) return Number(value);
  throw new InvalidArgumentError('a number of microseconds is needed.');
}

function count(value: string): number {
  if (/^[1-9]\d*$/.test(value)) return Number(value);
  throw new InvalidArgumentError('a positive number is needed.');
}

const TOP_EXAMPLES = `
Examples:
  netcon service                                  start the service (tap netcon0, stack 10.77.0.2)
  netcon intercept curl http://10.77.0.1/         curl, in netcon
  netcon service -- nginx -g 'daemon off;'        both in one
  netcon show                                     the sockets in the service

Exit status: 0 success, 1 error, 2 wrong usage; of a run app its own, or 125 netcon failed or there is no
service, 126 the app cannot be executed or intercepted, 127 the app was not found.`;

const SERVICE_EXAMPLES = `
Examples:
  netcon service
  netcon service --tap tap7 --address 192.168.7.2/24 --gateway 192.168.7.1 --allow user:www-data
  netcon service --no-tap -- ./my_app --its-own-option
  netcon service --fault loss=1%,delay=20ms,seed=7

Without root: let root make a tap for you once,
  ip tuntap add dev netcon0 mode tap user $USER && ip address add 10.77.0.1/24 dev netcon0 && ip link set netcon0 up
or try it in a namespace of your own: unshare -Urn netcon service`;

const INTERCEPT_EXAMPLES = `
Examples:
  netcon intercept curl http://10.77.0.1/
  netcon intercept --trace /tmp/trace redis-server --port 6379
  netcon intercept --bypass 192.168.0.0/16 ./my_app
  netcon intercept show curl

Exit status: the app's own; 125 netcon failed or there is no service, 126 the app cannot be executed or
intercepted, 127 the app was not found, 2 wrong usage.`;

const SHOW_EXAMPLES = `
Examples:
  netcon show
  netcon show sockets --state listen
  netcon show sessions
  netcon show status --json`;
