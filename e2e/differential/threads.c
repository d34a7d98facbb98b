/* Threads at once: each with connections of its own, and several on one listener and one socket. */
#include "d.h"

enum { THREADS = 8, ROUNDS = 20 };

static Addr at;
static int shared_listener;

static void *server(void *unused)
{
	(void)unused;
	long served = 0;
	for (;;) {
		int s = accept(shared_listener, NULL, NULL);
		if (s < 0)
			return (void *)served;
		char b[1024];
		long n;
		while ((n = read(s, b, sizeof b)) > 0)
			write_all(s, b, n);
		close(s);
		served++;
	}
}

static void *client_thread(void *number)
{
	long good = 0;
	for (int i = 0; i < ROUNDS; i++) {
		char out[1000], in[1000];
		memset(out, 'a' + (long)number, sizeof out);
		int c = client(&at);
		Addr name = name_of(c), peer = peer_of(c);
		int nodelay = 1;
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof nodelay);
		write_all(c, out, sizeof out);
		good += read_all(c, in, sizeof in) == sizeof in && memcmp(in, out, sizeof in) == 0 && port_of(&peer) == port_of(&at) &&
			port_of(&name) != 0 && int_option(c, IPPROTO_TCP, TCP_NODELAY) == 1;
		close(c);
	}
	return (void *)good;
}

static void many_connections(void)
{
	printf("-- threads connect, threads accept\n");
	shared_listener = listener(64, &at);
	pthread_t servers[4], clients[THREADS];
	for (int i = 0; i < 4; i++)
		pthread_create(&servers[i], NULL, server, NULL);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&clients[i], NULL, client_thread, (void *)i);
	long good = 0, served = 0;
	void *r;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(clients[i], &r);
		good += (long)r;
	}
	shutdown(shared_listener, SHUT_RDWR);
	for (int i = 0; i < 4; i++) {
		pthread_join(servers[i], &r);
		served += (long)r;
	}
	printf("good %ld served %ld of %d\n", good, served, THREADS * ROUNDS);
	close(shared_listener);
}

static int both[2];

static void *reader(void *unused)
{
	(void)unused;
	static char b[65536];
	long n, total = 0;
	while ((n = read(both[1], b, sizeof b)) > 0)
		total += n;
	return (void *)total;
}

static void *writer(void *unused)
{
	(void)unused;
	static char b[65536];
	return (void *)write_all(both[1], b, 65536L);
}

static void both_directions(void)
{
	printf("-- one thread reads, one writes, one socket\n");
	pair(&both[0], &both[1]);
	pthread_t r, w;
	void *got, *put;
	pthread_create(&r, NULL, reader, NULL);
	pthread_create(&w, NULL, writer, NULL);
	static char b[65536];
	CALL(read_all(both[0], b, 65536));
	long sent = 0;
	for (int i = 0; i < 16; i++)
		sent += write_all(both[0], b, sizeof b);
	shutdown(both[0], SHUT_WR);
	pthread_join(r, &got);
	pthread_join(w, &put);
	printf("sent %ld got %ld put %ld\n", sent, (long)got, (long)put);
	close(both[0]), close(both[1]);
}

static void *forker(void *unused)
{
	(void)unused;
	long good = 0;
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			int c = client(&at);
			char b = 0;
			_exit(write_all(c, "f", 1) == 1 && read_all(c, &b, 1) == 1 && b == 'f' ? 0 : 1);
		}
		int status;
		waitpid(pid, &status, 0);
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return (void *)good;
}

/* fork in one thread while others make calls: the child's calls work. */
static void fork_among_threads(void)
{
	printf("-- fork while other threads connect\n");
	shared_listener = listener(64, &at);
	pthread_t servers[4], clients[3], f;
	for (int i = 0; i < 4; i++)
		pthread_create(&servers[i], NULL, server, NULL);
	for (long i = 0; i < 3; i++)
		pthread_create(&clients[i], NULL, client_thread, (void *)i);
	pthread_create(&f, NULL, forker, NULL);
	void *r;
	long good = 0;
	for (int i = 0; i < 3; i++) {
		pthread_join(clients[i], &r);
		good += (long)r;
	}
	pthread_join(f, &r);
	printf("good %ld children %ld\n", good, (long)r);
	shutdown(shared_listener, SHUT_RDWR);
	for (int i = 0; i < 4; i++)
		pthread_join(servers[i], &r);
	close(shared_listener);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	many_connections();
	both_directions();
	fork_among_threads();
	return 0;
}
