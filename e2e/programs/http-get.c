/*
 * HTTP with nothing but libc: `http-get get HOST PORT PATH` prints the body, `http-get serve PORT TEXT` answers requests with TEXT
 * until it is ended.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct addrinfo *resolve(const char *host, const char *port, int flags)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found;
	int error = getaddrinfo(host, port, &hints, &found);
	if (error != 0) {
		fprintf(stderr, "getaddrinfo: %s\n", gai_strerror(error));
		exit(1);
	}
	return found;
}

static int open_socket(const struct addrinfo *at)
{
	int fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
	if (fd < 0)
		fail("socket");
	return fd;
}

static void get(const char *host, const char *port, const char *path)
{
	struct addrinfo *at = resolve(host, port, 0);
	int fd = open_socket(at);
	if (connect(fd, at->ai_addr, at->ai_addrlen) != 0)
		fail("connect");
	FILE *stream = fdopen(fd, "r+");
	fprintf(stream, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
	fflush(stream);
	char line[4096];
	if (fgets(line, sizeof line, stream) == NULL || strstr(line, " 200 ") == NULL) {
		fprintf(stderr, "not 200\n");
		exit(1);
	}
	while (fgets(line, sizeof line, stream) != NULL && strcmp(line, "\r\n") != 0)
		;
	for (size_t n; (n = fread(line, 1, sizeof line, stream)) > 0;)
		fwrite(line, 1, n, stdout);
	if (ferror(stream))
		fail("read");
}

static void serve(const char *port, const char *text)
{
	struct addrinfo *at = resolve(NULL, port, AI_PASSIVE);
	int fd = open_socket(at);
	if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, 16) != 0)
		fail("listen");
	printf("listening on %s\n", port);
	fflush(stdout);
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		if (peer < 0)
			fail("accept");
		FILE *stream = fdopen(peer, "r+");
		char line[4096];
		while (fgets(line, sizeof line, stream) != NULL && strcmp(line, "\r\n") != 0)
			;
		fprintf(stream, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(text), text);
		fclose(stream);
	}
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "get") == 0)
		get(argv[2], argv[3], argv[4]);
	else if (argc == 4 && strcmp(argv[1], "serve") == 0)
		serve(argv[2], argv[3]);
	else
		return 2;
	return 0;
}
