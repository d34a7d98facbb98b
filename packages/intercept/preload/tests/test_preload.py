"""The library alone, against a service without a stack. Run by tests/run.sh."""

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

from fake_service import ATTACH, BIND, HELLO, SOCKET, FakeService

LIBRARY = os.environ["NETCON_LIBRARY"]

# What every tested program begins with. `raw` is libc's own close, which no hook sees.
PROLOGUE = """
import ctypes, errno, os, resource, signal, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
raw_close = libc.__close
def sock(family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
    return socket.socket(family, kind, protocol)
def name(number):
    return 'EOPNOTSUPP' if number == errno.EOPNOTSUPP else errno.errorcode[number]
def error(call, *args):
    try:
        call(*args)
    except OSError as e:
        return name(e.errno)
    return 'ok'
def call(function, *args):
    result = function(*args)
    return name(ctypes.get_errno()) if result == -1 else result
def channel_fds():
    found = []
    for name in os.listdir('/proc/self/fd'):
        fd = int(name)
        try:
            if os.readlink(f'/proc/self/fd/{fd}').startswith('socket:') and fd >= 200:
                found.append(fd)
        except OSError:
            pass
    return found
"""


def run(program, service=None, env=None, argv=(), **more):
    """Runs a Python program under the library; returns the completed process."""
    variables = {"PATH": os.environ["PATH"], "LD_PRELOAD": LIBRARY, **(env or {})}
    variables.setdefault("NETCON_SOCKET", service.path if service else "/nonexistent/netcon.sock")
    return subprocess.run(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(program), *argv],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


def probe(command, service, directory=None, **more):
    """Compiles and runs probe.c under a copy of the library that every user can read."""
    directory = directory or tempfile.mkdtemp(prefix="netcon-test-")
    program = os.path.join(directory, "probe")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe.c")
    subprocess.run(["cc", "-O1", "-o", program, source], check=True)
    library = shutil.copy(LIBRARY, os.path.join(directory, "libnetcon.so"))
    return subprocess.run(
        [program, command],
        env={"LD_PRELOAD": library, "NETCON_SOCKET": service.path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **more,
    )


class Case(unittest.TestCase):
    def setUp(self):
        self.service = FakeService()

    def tearDown(self):
        self.service.close()

    def expect(self, program, *lines, service=None, **more):
        done = run(program, service or self.service, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split("\n")[:-1], list(lines), done.stderr)
        return done


class WithoutService(unittest.TestCase):
    def test_socket_gives_enetdown_and_says_once_why(self):
        done = run("print(error(sock), error(sock, socket.AF_INET6), error(sock))")
        self.assertEqual(done.stdout, "ENETDOWN ENETDOWN ENETDOWN\n")
        self.assertEqual(done.stderr.count("netcon:"), 1)
        self.assertIn("/nonexistent/netcon.sock: no such socket", done.stderr)
        self.assertIn("netcon service", done.stderr)

    def test_no_interface_of_another_network_is_shown(self):
        done = run("print(error(socket.if_nameindex), libc.if_nametoindex(b'lo'))")
        self.assertEqual(done.stdout, "ENETDOWN 0\n")
        program = "print(call(libc.getifaddrs, ctypes.byref(ctypes.c_void_p())))"
        self.assertEqual(run(program).stdout, "ENETDOWN\n")

    def test_interfaces_are_the_hosts_where_everything_is_bypassed(self):
        program = """
            first = ctypes.c_void_p()
            print(socket.if_nameindex() == native, libc.getifaddrs(ctypes.byref(first)))
            libc.freeifaddrs(first)
        """
        native = f"native = {socket.if_nameindex()!r}\n"
        done = run(native + textwrap.dedent(program), env={"NETCON_BYPASS": "all"})
        self.assertEqual(done.stdout, "True 0\n", done.stderr)

    def test_forked_children_do_not_repeat_it(self):
        done = run("error(sock); os.fork(); print(error(sock), flush=True)")
        self.assertEqual(done.stdout, "ENETDOWN\n" * 2)
        self.assertEqual(done.stderr.count("netcon:"), 1)

    def test_other_families_are_untouched(self):
        done = run(
            """
            a, b = socket.socketpair()
            a.send(b'x')
            l = sock(socket.AF_UNIX); l.bind('\\0netcon-test-%d' % os.getpid()); l.listen(1)
            c = sock(socket.AF_UNIX); c.connect(l.getsockname()); l.accept()
            print(b.recv(1), error(sock, socket.AF_NETLINK, socket.SOCK_RAW))
            """
        )
        self.assertEqual(done.stdout, "b'x' ok\n", done.stderr)
        self.assertEqual(done.stderr, "")

    def test_bad_arguments_give_linux_errors(self):
        done = run(
            """
            for args in [(2, 2, 6), (2, 3, 1), (10, 2, 1), (2, 1, 17), (2, 1, 300),
                         (2, 0, 0), (2, 5, 0), (2, 12, 0), (2, 1 | 0x1000, 0), (2, 10, 0)]:
                print(error(sock, *args), end=' ')
            """
        )
        wanted = (
            "EPROTONOSUPPORT EPROTONOSUPPORT EPROTONOSUPPORT EPROTONOSUPPORT EINVAL "
            "ESOCKTNOSUPPORT ESOCKTNOSUPPORT EINVAL EINVAL EPROTONOSUPPORT "
        )
        self.assertEqual(done.stdout, wanted)

    def test_bypass_all_leaves_everything_to_the_kernel(self):
        done = run(
            "s = sock(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[0]); sock(2, 2).close()",
            env={"NETCON_BYPASS": "all"},
        )
        self.assertEqual(done.stdout, "127.0.0.1\n", done.stderr)

    def test_without_a_service_names_are_to_be_tried_again_and_files_and_numbers_resolve(self):
        done = run(
            """
            print(socket.getaddrinfo('192.0.2.7', 80, type=socket.SOCK_STREAM)[0][4])
            print(socket.gethostbyname('localhost'))
            try: socket.getaddrinfo('netcon-test.invalid', 80)
            except socket.gaierror as e: print(e.errno == socket.EAI_AGAIN)
            """
        )
        self.assertEqual(done.stdout, "('192.0.2.7', 80)\n127.0.0.1\nTrue\n", done.stderr)


class Admission(unittest.TestCase):
    def test_refused_program_gets_the_message_and_eacces(self):
        service = FakeService(refuse="only alice may join: start with --allow user:bob")
        done = run("print(error(sock), error(sock))", service)
        service.close()
        self.assertEqual(done.stdout, "EACCES EACCES\n")
        self.assertEqual(done.stderr, "netcon: only alice may join: start with --allow user:bob\n")

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_service_of_another_user_is_not_trusted(self):
        directory = tempfile.mkdtemp(prefix="netcon-test-")
        os.chmod(directory, 0o777)
        os.seteuid(12345)
        try:
            service = FakeService(path=os.path.join(directory, "s.sock"))
        finally:
            os.seteuid(0)
        os.chmod(service.path, 0o777)
        done = probe("socket", service, directory, user=23456)
        service.close()
        self.assertEqual(done.stdout, "Network is down\n", done.stderr)
        self.assertIn("belongs to another user", done.stderr)
        self.assertEqual(service.asked, [])


class Sockets(Case):
    def test_socket_is_a_real_fd_with_the_flags_asked_for(self):
        self.expect(
            """
            import fcntl
            s = sock(2, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            print(fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK != 0, os.get_inheritable(s.fileno()))
            fd = libc.socket(10, 1, 6)
            print(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK != 0, os.get_inheritable(fd))
            print(s.getsockopt(1, 39), socket.socket(fileno=fd).getsockopt(1, 39), s.getsockopt(1, 38))
            """,
            "True False",
            "False True",
            "2 10 6",
        )
        self.assertEqual([entry[2:] for entry in self.service.ops(SOCKET)], [(2, 3), (10, 0)])

    def test_full_table_gives_emfile(self):
        self.expect(
            """
            s = sock()
            resource.setrlimit(resource.RLIMIT_NOFILE, (s.fileno() + 1, 4096))
            print(error(sock))
            resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 4096))
            print(error(sock))
            """,
            "EMFILE",
            "ok",
        )

    def test_bypass_list_puts_a_kernel_socket_under_the_fd(self):
        listener = socket.create_server(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
        thread = threading.Thread(target=lambda: listener.accept()[0].send(b"kernel"))
        thread.start()
        self.expect(
            """
            s = sock(); s.settimeout(5); fd = s.fileno()
            s.connect(('127.0.0.1', int(sys.argv[1])))
            print(s.recv(9), s.fileno() == fd, os.get_inheritable(fd))
            print(error(sock().connect, ('192.0.2.1', 1)))
            """,
            "b'kernel' True False",
            "EOPNOTSUPP",
            env={"NETCON_BYPASS": "127.0.0.0/8"},
            argv=(port,),
        )
        thread.join()
        listener.close()

    def test_kernel_socket_from_outside_is_not_connected_or_bound(self):
        native = socket.socket()
        fd = str(native.fileno())
        self.expect(
            """
            s = socket.socket(fileno=int(sys.argv[1]))
            print(error(s.connect, ('127.0.0.1', 1)), error(s.bind, ('127.0.0.1', 0)), error(s.listen))
            """,
            "ENETDOWN ENETDOWN ENETDOWN",
            argv=(fd,),
            pass_fds=(native.fileno(),),
        )
        native.close()

    def test_datagram_socket_of_the_service_is_the_kernels_own(self):
        self.expect(
            """
            a, b = sock(2, 2), sock(10, 2, 17)
            print(a.getsockopt(1, 39), b.getsockopt(1, 39), a.getsockopt(1, 3))
            a.bind(('127.0.0.1', 0)); c = sock(2, 2); c.connect(a.getsockname()); c.send(b'hello')
            data, peer = a.recvfrom(9); print(data, peer == c.getsockname(), c.getpeername() == a.getsockname())
            a.sendto(b'back', peer); print(c.recv(9), error(a.listen), error(c.connect, ('127.0.0.1', 1)))
            d = socket.socket(fileno=os.dup(c.fileno())); print(error(d.bind, ('127.0.0.1', 0)))
            """,
            "2 10 2",
            "b'hello' True True",
            "b'back' EOPNOTSUPP ok",
            "EINVAL",
        )

    def test_mark_of_a_datagram_socket_is_hidden(self):
        self.expect(
            """
            s = sock(2, 2)
            s.setsockopt(1, 47, 1000)
            print(s.getsockopt(1, 47, 8).hex(), error(s.bind, ('127.0.0.1', 0)))
            """,
            "ffffffffffffffff ok",
        )

    def test_datagram_socket_that_the_service_cannot_make_is_refused(self):
        self.service.no_datagrams = True
        self.expect("print(error(sock, 2, 2), error(sock, 2, 2, 1))", "EPROTONOSUPPORT EPROTONOSUPPORT")

    def test_syscall_function_meets_the_same_operations(self):
        self.expect(
            """
            SYS_socket = {'x86_64': 41, 'aarch64': 198}[os.uname().machine]
            SYS_getpid = {'x86_64': 39, 'aarch64': 172}[os.uname().machine]
            fd = libc.syscall(SYS_socket, 2, 1, 0)
            print(socket.socket(fileno=fd).getsockopt(1, 39), call(libc.syscall, SYS_socket, 2, 3, 0))
            print(libc.syscall(SYS_getpid) == os.getpid(), call(libc.syscall, 100000))
            """,
            "2 EPROTONOSUPPORT",
            "True ENOSYS",
        )

    def test_unconnected_socket_errs_like_tcp(self):
        self.expect(
            """
            pipes = []
            signal.signal(signal.SIGPIPE, lambda *_: pipes.append(1))
            s = sock()
            print(error(s.recv, 1), error(os.read, s.fileno(), 1), error(s.shutdown, 2))
            print(error(s.send, b'x'), error(os.write, s.fileno(), b'x'))
            print(len(pipes), error(s.send, b'x', socket.MSG_NOSIGNAL))
            print(len(pipes), error(s.getpeername))
            """,
            "ENOTCONN ENOTCONN ENOTCONN",
            "EPIPE EPIPE",
            "2 EPIPE",
            "2 ENOTCONN",
        )

    def test_bad_pointers_give_efault(self):
        self.expect(
            """
            fd = sock().detach()
            bad = ctypes.c_void_p(4097)
            print(call(libc.bind, fd, bad, 16), call(libc.bind, fd, None, 16))
            print(call(libc.getsockname, fd, None, None), call(libc.setsockopt, fd, 6, 1, bad, 4))
            """,
            "EFAULT EFAULT",
            "EFAULT EFAULT",
        )


class Channel(Case):
    def test_channel_is_high_and_survives_closing_everything(self):
        self.expect(
            """
            sock().close()
            print(channel_fds(), error(os.close, 1000))
            for fd in range(3, 1024):
                libc.close(fd)
            libc.closefrom(3)
            call(libc.close_range, 3, 0xffffffff, 0)
            call(libc.close_range, 1000, 1000, 0)
            print(channel_fds(), error(sock))
            """,
            "[1000] EBADF",
            "[1000] ok",
        )
        self.assertEqual(len(self.service.ops(HELLO)), 1)

    def test_dup2_onto_the_channel_moves_it(self):
        self.expect(
            """
            sock().close()
            r, w = os.pipe()
            print(os.dup2(w, 1000), os.write(1000, b'x'), os.read(r, 9), error(sock))
            print(call(libc.dup3, w, 1001, 0), error(sock), error(os.dup2, 1002, 50))
            print(os.close(1000), os.close(1001))
            """,
            "1000 1 b'x' ok",
            "1001 ok EBADF",
            "None None",
        )
        self.assertEqual(len(self.service.ops(HELLO)), 1)

    def test_channel_closed_past_the_hooks_is_opened_again(self):
        self.expect(
            """
            sock().close()
            raw_close(1000)
            r, w = os.pipe(); libc.__dup2(w, 1000)
            print(error(sock), os.write(1000, b'x'), os.read(r, 9))
            """,
            "ok 1 b'x'",
        )
        self.assertEqual(len(self.service.ops(HELLO)), 2)

    def test_low_limit_puts_the_channel_at_its_top(self):
        self.expect(
            """
            resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
            sock().close()
            print(channel_fds())
            """,
            "[232]",
        )

    def test_child_attaches_where_the_path_is_out_of_reach(self):
        self.expect(
            """
            sock().close()
            os.environ.clear()
            pid = os.fork()
            if pid == 0:
                if os.geteuid() == 0: os.chroot('/proc/self/fdinfo')
                print(error(sock), channel_fds() if os.geteuid() else [1001], flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
            print(error(sock), channel_fds())
            """,
            "ok [1001]",
            "ok [1000]",
        )
        self.assertEqual((len(self.service.ops(HELLO)), len(self.service.ops(ATTACH))), (1, 1))

    def test_exec_keeps_the_channel_and_its_children_attach(self):
        self.expect(
            """
            sock().close()
            again = "import socket; socket.socket(); print('exec ok', flush=True)"
            subprocess.run([sys.executable, '-c', again], close_fds=False)
            os.execv(sys.executable, [sys.executable, '-c', again])
            """,
            "exec ok",
            "exec ok",
        )
        self.assertEqual((len(self.service.ops(HELLO)), len(self.service.ops(ATTACH))), (1, 1))

    def test_vfork_child_leaves_its_parent_alone(self):
        # subprocess uses vfork; its child closes every fd before exec.
        self.expect(
            """
            sock().close()
            child = "import socket; socket.socket(); print('child', flush=True)"
            for _ in range(3):
                subprocess.run([sys.executable, '-c', child])
            print(error(sock), channel_fds())
            """,
            "child",
            "child",
            "child",
            "ok [1000]",
        )
        self.assertEqual((len(self.service.ops(HELLO)), len(self.service.ops(ATTACH))), (1, 3))

    def test_cleaned_environment_keeps_the_library(self):
        self.expect(
            """
            child = "print('/libnetcon.so' in open('/proc/self/maps').read())"
            subprocess.run([sys.executable, '-c', child], env={'A': '1'})
            pid = os.posix_spawn(sys.executable, [sys.executable, '-c', child], {'LD_PRELOAD': ''})
            os.waitpid(pid, 0)
            many = {f'V{n}': 'x' for n in range(1000)}
            subprocess.run([sys.executable, '-c', child], env=many)
            os.execve(sys.executable, [sys.executable, '-c', child], {})
            """,
            "True",
            "True",
            "True",
            "True",
        )

    def test_every_exec_keeps_the_library_in_a_cleaned_environment(self):
        self.expect(
            """
            loaded = "print('/libnetcon.so' in open('/proc/self/maps').read(), *sys.argv[1:], flush=True)"
            child = "import sys; " + loaded
            exe, words = sys.executable.encode(), [w.encode() for w in (sys.executable, '-c', child, *'abcdef')]
            base = os.path.basename(exe)
            os.environ['PATH'] = os.path.dirname(sys.executable)
            empty = (ctypes.c_char_p * 1)(None)
            argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
            fd = os.open(exe, os.O_RDONLY)
            short = (words[0], b'-c', child.encode())
            calls = [
                lambda: libc.execl(exe, *words, None),
                lambda: libc.execl(exe, *short, None),
                lambda: libc.execlp(base, *words, None),
                lambda: libc.execle(exe, *words, None, empty),
                lambda: libc.execle(exe, *short, None, empty),
                lambda: libc.execv(exe, argv),
                lambda: libc.execvp(base, argv),
                lambda: libc.fexecve(fd, argv, empty),
                lambda: libc.execveat(-100, exe, argv, empty, 0),
                lambda: libc.syscall(ctypes.c_long(EXECVE), exe, argv, empty),
            ]
            libc.clearenv()
            for exec in calls:
                if os.fork() == 0:
                    exec()
                    os._exit(1)
                os.wait()
            print(call(libc.execl, b'/nonexistent', b'x', None), call(libc.execle, b'/nonexistent', *words, None, empty))
            print(call(libc.execlp, b'/nonexistent', b'x', None), call(libc.fexecve, -1, argv, empty))
            """.replace("EXECVE", str({"x86_64": 59, "aarch64": 221}[os.uname().machine])),
            "True a b c d e f",
            "True",
            "True a b c d e f",
            "True a b c d e f",
            "True",
            *["True a b c d e f"] * 5,
            "ENOENT ENOENT",
            "ENOENT EINVAL",
        )

    def test_service_that_dies_and_returns(self):
        service = FakeService()
        path = service.path
        server, client = socket.socketpair()

        def nurse():
            server.recv(1)
            service.close()
            server.send(b"x")
            server.recv(1)
            self.reborn = FakeService(path=path)
            server.send(b"x")

        thread = threading.Thread(target=nurse)
        thread.start()
        self.expect(
            """
            s = socket.socket(fileno=int(sys.argv[1]))
            def turn(): os.write(s.fileno(), b'x'); os.read(s.fileno(), 1)
            print(error(sock)); turn()
            print(error(sock), error(sock)); turn()
            print(error(sock))
            """,
            "ok",
            "ENETDOWN ENETDOWN",
            "ok",
            service=service,
            argv=(str(client.fileno()),),
            pass_fds=(client.fileno(),),
        )
        thread.join()
        self.reborn.close()


class Concurrency(Case):
    def test_threads_share_the_channel(self):
        self.expect(
            """
            def work():
                for _ in range(500): sock().close()
            threads = [threading.Thread(target=work) for _ in range(8)]
            [t.start() for t in threads]; [t.join() for t in threads]
            print('done', channel_fds())
            """,
            "done [1000]",
        )
        self.assertEqual(len(self.service.ops(SOCKET)), 4000)
        self.assertEqual(len(self.service.ops(HELLO)), 1)

    def test_fork_in_one_thread_while_others_hold_the_lock(self):
        self.expect(
            """
            sock().close()
            stop = []
            def work():
                while not stop: sock().close()
            threads = [threading.Thread(target=work) for _ in range(3)]
            [t.start() for t in threads]
            failed = 0
            for _ in range(60):
                pid = os.fork()
                if pid == 0:
                    os._exit(error(sock) != 'ok')
                failed += os.waitpid(pid, 0)[1]
            stop.append(1); [t.join() for t in threads]
            print(failed)
            """,
            "0",
        )
        self.assertEqual(len(self.service.ops(ATTACH)), 60)

    def test_signal_handler_that_calls_socket_does_not_deadlock(self):
        done = probe("signals", self.service)
        self.assertEqual(done.stdout, "0 failed, 0 refused in the handler\n", done.stderr)


class Trace(Case):
    def test_each_call_leaves_a_line(self):
        path = os.path.join(tempfile.mkdtemp(prefix="netcon-test-"), "trace")
        self.expect(
            """
            s = sock(); s.bind(('10.77.0.2', 80)); error(s.recv, 1)
            error(sock, socket.AF_INET, socket.SOCK_RAW)
            sock(socket.AF_UNIX)
            """,
            env={"NETCON_TRACE": path},
        )
        with open(path, encoding="ascii") as file:
            lines = [re.sub(r"^(\d+) \1 ", "", line.rstrip("\n")) for line in file]
        fd = re.match(r"socket\(2, \d+, 0\) = (\d+) taken", lines[0])[1]
        self.assertIn(f"bind({fd}, 10.77.0.2:80) = 0 taken", lines)
        self.assertTrue(any(re.match(r"recv\(\d+, 1\) = -1 ENOTCONN\(107\)", l) for l in lines))
        refusal = r"socket\(2, \d+, 0\) = -1 EPROTONOSUPPORT\(93\) failed"
        self.assertTrue(any(re.match(refusal, line) for line in lines), lines)
        self.assertTrue(any(line.endswith("bypassed:family") for line in lines), lines)
        self.assertEqual(len(self.service.ops(BIND)), 1)


if __name__ == "__main__":
    assert errno.ENETDOWN == 100
    unittest.main()
