/* Name look-ups, a line each, for the comparison of native and intercepted runs. Arguments: names to look up. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *address(const struct sockaddr *a)
{
    static char text[INET6_ADDRSTRLEN];
    const void *at = a->sa_family == AF_INET ? (void *)&((struct sockaddr_in *)a)->sin_addr
                                             : (void *)&((struct sockaddr_in6 *)a)->sin6_addr;
    return inet_ntop(a->sa_family, at, text, sizeof text);
}

static void look_up(const char *node, const char *service, int flags, int family, int type, int protocol)
{
    struct addrinfo hints = { flags, family, type, protocol, 0, NULL, NULL, NULL }, *list = NULL;
    int status = getaddrinfo(node, service, &hints, &list);
    printf("getaddrinfo %s %s flags %#x family %d type %d protocol %d: %d", node ? node : "-",
           service ? service : "-", flags, family, type, protocol, status);
    if (status == EAI_SYSTEM)
        printf(" system");
    for (struct addrinfo *a = status == 0 ? list : NULL; a != NULL; a = a->ai_next)
        printf(" [%#x %d %d %d %s %d %s]", a->ai_flags, a->ai_family, a->ai_socktype, a->ai_protocol,
               address(a->ai_addr), ntohs(((struct sockaddr_in *)a->ai_addr)->sin_port),
               a->ai_canonname ? a->ai_canonname : "-");
    puts("");
    if (status != 0)
        return;
    /* Any part of a list may be freed by itself. */
    struct addrinfo *rest = list->ai_next;
    list->ai_next = NULL;
    freeaddrinfo(list);
    if (rest != NULL)
        freeaddrinfo(rest);
}

static void in_background(const char *name)
{
#ifdef __GLIBC__
    struct gaicb request = { .ar_name = name }, *list[] = { &request };
    if (getaddrinfo_a(GAI_WAIT, list, 1, NULL) == 0)
        printf("getaddrinfo_a %s: %d\n", name, gai_error(&request));
    if (request.ar_result != NULL)
        freeaddrinfo(request.ar_result);
#else
    (void)name;
#endif
}

static void show_host(const char *call, const char *what, const struct hostent *h)
{
    printf("%s %s:", call, what);
    if (h == NULL) {
        printf(" h_errno %d\n", h_errno);
        return;
    }
    printf(" %s family %d length %d aliases", h->h_name, h->h_addrtype, h->h_length);
    for (char **alias = h->h_aliases; *alias != NULL; alias++)
        printf(" %s", *alias);
    char text[INET6_ADDRSTRLEN];
    for (char **at = h->h_addr_list; *at != NULL; at++)
        printf(" [%s]", inet_ntop(h->h_addrtype, *at, text, sizeof text));
    puts("");
}

static void host_by_name_r(const char *name, size_t room)
{
    static char buffer[8192];
    struct hostent host, *found = NULL;
    int error = 0, status = gethostbyname2_r(name, AF_INET, &host, buffer, room, &found, &error);
    printf("gethostbyname2_r %s in %zu: status %d found %d h_errno %d\n", name, room, status, found != NULL,
           status == 0 && found ? 0 : error);
}

static void name_of(const char *ip, int flags)
{
    struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *a;
    char host[256] = "", port[32] = "";
    if (getaddrinfo(ip, "80", &numeric, &a) != 0)
        return;
    int status = getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, port, sizeof port, flags);
    printf("getnameinfo %s flags %#x: %d %s %s\n", ip, flags, status, host, port);
    unsigned char octets[16];
    int v6 = strchr(ip, ':') != NULL;
    inet_pton(v6 ? AF_INET6 : AF_INET, ip, octets);
    show_host("gethostbyaddr", ip, gethostbyaddr(octets, v6 ? 16 : 4, v6 ? AF_INET6 : AF_INET));
    freeaddrinfo(a);
}

static void query(const char *call, int (*function)(const char *, int, int, unsigned char *, int), const char *name,
                  int type)
{
    unsigned char answer[8192];
    h_errno = 0;
    int length = function(name, ns_c_in, type, answer, sizeof answer);
    printf("%s %s type %d: %d", call, name, type, length < 0 ? -1 : length > 0);
    ns_msg message;
    if (length < 0 || ns_initparse(answer, length, &message) != 0)
        printf(" h_errno %d", h_errno);
    else
        printf(" rcode %d answers %d", ns_msg_getflag(message, ns_f_rcode), ns_msg_count(message, ns_s_an));
    puts("");
}

int main(int argc, char **argv)
{
    const int flags[] = { 0, AI_CANONNAME, AI_ADDRCONFIG, AI_V4MAPPED, AI_V4MAPPED | AI_ALL,
                          AI_NUMERICHOST, AI_PASSIVE, AI_NUMERICSERV, AI_CANONNAME | AI_NUMERICHOST, 0x4000 };
    const int families[] = { AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX };
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        for (unsigned f = 0; f < sizeof flags / sizeof *flags; f++)
            for (unsigned g = 0; g < sizeof families / sizeof *families; g++)
                look_up(name, "80", flags[f], families[g], SOCK_STREAM, 0);
        look_up(name, NULL, 0, AF_UNSPEC, 0, 0);
        look_up(name, "domain", 0, AF_UNSPEC, 0, 0);
        look_up(name, "nosuchservice", 0, AF_UNSPEC, 0, 0);
        look_up(name, "80", 0, AF_UNSPEC, SOCK_DGRAM, IPPROTO_TCP);
        in_background(name);
        show_host("gethostbyname", name, gethostbyname(name));
        show_host("gethostbyname2 inet6", name, gethostbyname2(name, AF_INET6));
        host_by_name_r(name, 8192);
        host_by_name_r(name, 8);
        query("res_query", res_query, name, ns_t_a);
        query("res_search", res_search, name, ns_t_a);
        query("res_search", res_search, name, ns_t_mx);
    }
    for (unsigned g = 0; g < sizeof families / sizeof *families; g++)
        for (int passive = 0; passive < 2; passive++)
            look_up(NULL, "80", passive ? AI_PASSIVE : 0, families[g], SOCK_STREAM, 0);
    const char *const ips[] = { "192.0.2.1", "2001:db8::1", "192.0.2.99", "127.0.0.1", "::1" };
    for (unsigned i = 0; i < sizeof ips / sizeof *ips; i++) {
        name_of(ips[i], 0);
        name_of(ips[i], NI_NAMEREQD);
        name_of(ips[i], NI_NUMERICHOST | NI_NUMERICSERV);
        name_of(ips[i], NI_NOFQDN);
    }
    return 0;
}
