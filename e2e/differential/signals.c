/* Signals in calls that wait: EINTR, and restarting where SA_RESTART asks for it. */
#include "d.h"

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	(void)number;
	caught++;
}

static void handle(int flags)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = flags};
	sigaction(SIGUSR1, &a, NULL);
	caught = 0;
}

/* Waits until the thread or process `tid` of `pid` sleeps in a system call. */
static void until_asleep(pid_t pid, pid_t tid)
{
	char path[64], text[512];
	int64_t end = now_ms() + DEADLINE_MS;
	snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
	pause_ms(20);
	while (now_ms() < end) {
		FILE *f = fopen(path, "r");
		size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
		if (f)
			fclose(f);
		text[n] = 0;
		char *p = strrchr(text, ')');
		if (p && p[2] == 'S')
			return;
		pause_ms(2);
	}
}

/* A child signals the parent once it sleeps, then does `rescue`. */
static pid_t signaller(void (*rescue)(const Addr *), const Addr *at)
{
	pid_t me = getpid(), pid = fork();
	if (pid == 0) {
		until_asleep(me, me);
		kill(me, SIGUSR1);
		if (rescue) {
			pause_ms(50);
			rescue(at);
		}
		_exit(0);
	}
	return pid;
}

static void connect_late(const Addr *at)
{
	int c = client(at);
	char b;
	read(c, &b, 1);
}

static int rescue_fd;

static void write_late(const Addr *at)
{
	(void)at;
	write(rescue_fd, "late", 4);
}

static void drain_late(const Addr *at)
{
	(void)at;
	static char bulk[65536];
	while (read(rescue_fd, bulk, sizeof bulk) > 0)
		;
}

static void accepting(void)
{
	Addr at;
	int l = listener(4, &at);
	printf("-- accept\n");
	handle(0);
	pid_t pid = signaller(NULL, &at);
	CALL(accept(l, NULL, NULL));
	printf("caught %d\n", caught);
	waitpid(pid, NULL, 0);
	handle(SA_RESTART);
	pid = signaller(connect_late, &at);
	int s = accept(l, NULL, NULL);
	printf("accept with SA_RESTART: %s, caught %d\n", s < 0 ? errno_name(errno) : "ok", caught);
	close(s);
	waitpid(pid, NULL, 0);
	close(l);
}

static void reading(void)
{
	int c, s;
	char b[8];
	printf("-- read, recv\n");
	pair(&c, &s);
	rescue_fd = s;
	handle(0);
	pid_t pid = signaller(NULL, NULL);
	CALL(read(c, b, 4));
	waitpid(pid, NULL, 0);
	pid = signaller(NULL, NULL);
	CALL(recv(c, b, 4, MSG_WAITALL));
	waitpid(pid, NULL, 0);
	handle(SA_RESTART);
	pid = signaller(write_late, NULL);
	CALL(recv(c, b, 4, 0));
	printf("caught %d\n", caught);
	waitpid(pid, NULL, 0);
	struct timeval t = {5, 0};
	setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
	pid = signaller(NULL, NULL);
	CALL(read(c, b, 4));
	waitpid(pid, NULL, 0);
	struct pollfd p = {c, POLLIN, 0};
	pid = signaller(NULL, NULL);
	CALL(poll(&p, 1, DEADLINE_MS));
	waitpid(pid, NULL, 0);
	close(c), close(s);
}

static void writing(void)
{
	int c, s;
	static char bulk[4 << 20];
	printf("-- write\n");
	pair(&c, &s);
	rescue_fd = s;
	nonblocking(c, 1);
	/* Full to the last byte, and nothing on its way any more. */
	for (int quiet = 0; quiet < 3;) {
		quiet++;
		while (write(c, bulk, sizeof bulk) > 0 || write(c, bulk, 1) > 0)
			quiet = 0;
		pause_ms(30);
	}
	nonblocking(c, 0);
	handle(0);
	pid_t pid = signaller(NULL, NULL);
	CALL(write(c, bulk, 1000));
	waitpid(pid, NULL, 0);
	handle(SA_RESTART);
	fflush(stdout);
	pid = signaller(drain_late, NULL);
	CALL(write(c, bulk, sizeof bulk));
	printf("caught %d\n", caught);
	close(c);
	close(s);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A listener whose queue is full leaves connect() waiting. */
static void connecting(void)
{
	Addr at;
	printf("-- connect\n");
	int l = listener(0, &at), first = client(&at), c = tcp(0);
	handle(0);
	pid_t pid = signaller(NULL, NULL);
	CALL(connect(c, &at.sa, addr_len(&at)));
	printf("caught %d\n", caught);
	waitpid(pid, NULL, 0);
	printf("c: events %s\n", events_text(poll_now(c)));
	nonblocking(c, 1);
	CALL(connect(c, &at.sa, addr_len(&at)));
	close(accepted(l));
	SHOW_EVENTS(c, POLLOUT);
	printf("SO_ERROR %s\n", so_error(c));
	CALL(connect(c, &at.sa, addr_len(&at)));
	int s = accepted(l);
	nonblocking(c, 0);
	show_works("went on by itself", c, s);
	close(c), close(s), close(first), close(l);
}

static void *accept_from(void *l)
{
	pause_ms(150);
	close(accepted(*(int *)l));
	return NULL;
}

static void connecting_restarted(void)
{
	Addr at;
	printf("-- connect with SA_RESTART\n");
	int l = listener(0, &at), first = client(&at), c = tcp(0);
	handle(SA_RESTART);
	pid_t pid = signaller(NULL, NULL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	/* Only this thread takes the signal. */
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_t t;
	pthread_create(&t, NULL, accept_from, &l);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	CALL(connect(c, &at.sa, addr_len(&at)));
	printf("caught %d\n", caught);
	waitpid(pid, NULL, 0);
	pthread_join(t, NULL);
	int s = accepted(l);
	show_works("pair", c, s);
	close(c), close(s), close(first), close(l);
}

static void storm(void)
{
	printf("-- a timer's signals all the time\n");
	Addr at;
	int l = listener(16, &at), good = 0;
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &a, NULL);
	struct itimerval fast = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &fast, NULL);
	for (int i = 0; i < 100; i++) {
		int c = tcp(0);
		if (connect(c, &at.sa, addr_len(&at)) == 0) {
			int s = accept(l, NULL, NULL);
			char b = 0;
			good += s >= 0 && write_all(s, "x", 1) == 1 && read_all(c, &b, 1) == 1 && b == 'x';
			close(s);
		}
		close(c);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	printf("good %d of 100\n", good);
	close(l);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	accepting();
	reading();
	writing();
	connecting();
	connecting_restarted();
	storm();
	return 0;
}
