/* 64 threads that wait in accept of one listener, while 16 others connect as fast as they can. */
#include "d.h"

enum { SERVERS = 64, CLIENTS = 16, ROUNDS = 30 };

static Addr at;
static int l;

/* Answers with the client's port as accept gave it, until the listener is shut down. */
static void *server(void *unused)
{
	(void)unused;
	long served = 0;
	for (;;) {
		Addr from;
		socklen_t len = sizeof from;
		int s = accept(l, &from.sa, &len);
		if (s < 0) {
			if (errno != EAGAIN)
				return (void *)served;
			struct pollfd p = {l, POLLIN, 0};
			poll(&p, 1, 1000);
			continue;
		}
		/* With the listener's O_NONBLOCK the accepted socket is a blocking one all the same. */
		char b[8];
		int port = port_of(&from);
		if (read_all(s, b, 4) == 4 && !memcmp(b, "port", 4))
			write_all(s, (char *)&port, sizeof port);
		close(s);
		served++;
	}
}

static void *client_thread(void *unused)
{
	(void)unused;
	long good = 0;
	for (int i = 0; i < ROUNDS; i++) {
		int c = client(&at), port = -1;
		char b;
		Addr name = name_of(c);
		write_all(c, "port", 4);
		good += read_all(c, (char *)&port, sizeof port) == sizeof port && port == port_of(&name) && read(c, &b, 1) == 0;
		close(c);
	}
	return (void *)good;
}

static void hammer(const char *title, int backlog, int nonblock)
{
	printf("-- %s\n", title);
	l = listener(backlog, &at);
	nonblocking(l, nonblock);
	pthread_t servers[SERVERS], clients[CLIENTS];
	for (int i = 0; i < SERVERS; i++)
		pthread_create(&servers[i], NULL, server, NULL);
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&clients[i], NULL, client_thread, NULL);
	long good = 0, served = 0;
	void *r;
	for (int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i], &r);
		good += (long)r;
	}
	shutdown(l, SHUT_RDWR);
	for (int i = 0; i < SERVERS; i++) {
		pthread_join(servers[i], &r);
		served += (long)r;
	}
	printf("good %ld served %ld of %d\n", good, served, CLIENTS * ROUNDS);
	CALL(accept(l, NULL, NULL));
	close(l);
}

int main(int argc, char **argv)
{
	start(argc, argv);
	hammer("threads wait in accept", 128, 0);
	hammer("as many places in the queue as clients", CLIENTS, 0);
	hammer("threads wait in poll: most find nothing", 128, 1);
	return 0;
}
