/* What a daemon does to itself (double fork, no descriptors, another user, another root), and its sockets after each. */
#include "d.h"
#include <grp.h>
#include <sys/stat.h>

enum { NOBODY = 65534 };

static char *self;
static char home[] = "/tmp/netcon-daemon-XXXXXX";

/* A connection to `l` from the same process, with data both ways. */
static void works(const char *what, int l)
{
	Addr at = name_of(l);
	label_port(port_of(&at), "L");
	int c = client(&at);
	int s = accepted(l);
	Addr name = name_of(c);
	label_port(port_of(&name), "C");
	show_peer(what, s);
	show_works(what, c, s);
	set_int(c, IPPROTO_TCP, TCP_NODELAY, 1);
	printf("%s nodelay %d\n", what, int_option(c, IPPROTO_TCP, TCP_NODELAY));
	close(c), close(s);
}

static void new_and_old(const char *what, int old)
{
	char title[64];
	Addr at;
	snprintf(title, sizeof title, "%s, old listener,", what);
	works(title, old);
	int l = listener(4, &at);
	snprintf(title, sizeof title, "%s, new listener,", what);
	works(title, l);
	close(l);
}

/* Runs `act` in a child; what it prints comes here. */
static void in_child(void (*act)(int), int l)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		act(l);
		fflush(stdout);
		_exit(0);
	}
	reap(pid, "child");
}

/* The way of daemon(7): nothing of the parent's stays but the result's path. */
static void daemonise(int l)
{
	(void)l;
	char path[64], text[4096];
	snprintf(path, sizeof path, "%s/said", home);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() > 0)
			_exit(0);
		for (int fd = 0; fd < 2048; fd++)
			close(fd);
		umask(0);
		chdir("/");
		open("/dev/null", O_RDONLY);
		char draft[80];
		snprintf(draft, sizeof draft, "%s.part", path);
		/* Descriptors 1 and 2. */
		dup(open(draft, O_WRONLY | O_CREAT, 0644));
		Addr at;
		int own = listener(4, &at);
		works("daemon", own);
		signal(SIGHUP, SIG_IGN);
		pid_t worker = fork();
		if (worker == 0) {
			works("its worker", own);
			fflush(stdout);
			_exit(0);
		}
		reap(worker, "worker");
		fflush(stdout);
		rename(draft, path);
		_exit(0);
	}
	reap(pid, "first child");
	for (int64_t end = now_ms() + DEADLINE_MS; access(path, R_OK) != 0 && now_ms() < end;)
		pause_ms(5);
	FILE *f = fopen(path, "r");
	if (!f)
		die("the daemon said nothing");
	size_t n = fread(text, 1, sizeof text, f);
	fwrite(text, 1, n, stdout);
	fclose(f);
	unlink(path);
}

static void drop(int l)
{
	CALL(setgroups(0, NULL));
	CALL(setresgid(NOBODY, NOBODY, NOBODY));
	CALL(setresuid(NOBODY, NOBODY, NOBODY));
	CALL(setuid(0));
	new_and_old("as nobody", l);
	pid_t pid = fork();
	if (pid == 0) {
		new_and_old("its child", l);
		fflush(stdout);
		_exit(0);
	}
	reap(pid, "child");
}

static void change_root(int l)
{
	CALL(chroot(home));
	CALL(chdir("/"));
	CALL(access("/tmp", F_OK));
	new_and_old("in the chroot", l);
}

/* What sshd and vsftpd do: all of it, one after the other. */
static void all_of_it(int l)
{
	setsid();
	CALL(chroot(home));
	CALL(chdir("/"));
	CALL(setresgid(NOBODY, NOBODY, NOBODY));
	CALL(setresuid(NOBODY, NOBODY, NOBODY));
	new_and_old("locked up", l);
}

/* A program started by exec after the drop finds its way by what it has inherited. */
static void drop_and_exec(int l)
{
	char number[16];
	snprintf(number, sizeof number, "%d", l);
	setresgid(NOBODY, NOBODY, NOBODY);
	setresuid(NOBODY, NOBODY, NOBODY);
	fflush(stdout);
	execl(self, self, family == AF_INET6 ? "6" : "4", "served", number, NULL);
	_exit(127);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	self = argv[0];
	if (argc > 3) {
		new_and_old("after exec", atoi(argv[3]));
		return 0;
	}
	mkdtemp(home);
	chmod(home, 0755);
	static const struct {
		const char *title;
		void (*act)(int);
	} CASES[] = {
		{"daemonise: double fork, every descriptor closed", daemonise},
		{"give up root", drop},
		{"chroot", change_root},
		{"chroot, then give up root", all_of_it},
		{"give up root, then exec", drop_and_exec},
	};
	for (unsigned i = 0; i < sizeof CASES / sizeof *CASES; i++) {
		printf("-- %s\n", CASES[i].title);
		Addr at;
		int l = listener(8, &at);
		in_child(CASES[i].act, l);
		works("here", l);
		close(l);
	}
	rmdir(home);
	return 0;
}
