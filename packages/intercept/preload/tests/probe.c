/* What Python cannot do: probe socket - one socket(), its errno;
   probe signals - socket() in a signal handler that interrupts socket(). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t taken, refused;

static void handler(int signal)
{
    int saved = errno;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)signal;
    if (fd >= 0) {
        taken++;
        close(fd);
    } else {
        refused++;
    }
    errno = saved;
}

static int signals(void)
{
    struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
    int failed = 0;
    signal(SIGALRM, handler);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 20000 || taken == 0; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0)
            failed++;
        else
            close(fd);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%d failed, %d refused in the handler\n", failed, (int)refused);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "signals") == 0)
        return signals();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    printf("%s\n", fd < 0 ? strerror(errno) : "ok");
    return 0;
}
