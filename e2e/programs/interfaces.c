/* What a program finds out about its interfaces: getifaddrs, if_name*, and the ioctls of netdevice(7). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void show(const char *what, const struct sockaddr *a)
{
	char text[INET6_ADDRSTRLEN];
	if (!a) {
		printf(" %s none", what);
	} else if (a->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)a;
		printf(" %s %s port %d", what, inet_ntop(AF_INET, &in->sin_addr, text, sizeof text), in->sin_port);
	} else if (a->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)a;
		printf(" %s %s scope %u", what, inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text), in->sin6_scope_id);
	} else {
		const struct sockaddr_ll *ll = (const void *)a;
		printf(" %s link protocol %d index %d type %d packet %d len %d", what, ll->sll_protocol, ll->sll_ifindex,
		       ll->sll_hatype, ll->sll_pkttype, ll->sll_halen);
		for (int i = 0; i < ll->sll_halen; i++)
			printf(":%02x", ll->sll_addr[i]);
	}
}

static void addresses(void)
{
	printf("-- getifaddrs\n");
	struct ifaddrs *all;
	if (getifaddrs(&all) < 0) {
		printf("failed: %s\n", strerrorname_np(errno));
		return;
	}
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		printf("%s flags %x", i->ifa_name, i->ifa_flags);
		show("address", i->ifa_addr);
		show("mask", i->ifa_netmask);
		show("other", i->ifa_ifu.ifu_broadaddr);
		printf(" data %d\n", i->ifa_data != NULL);
	}
	freeifaddrs(all);
	freeifaddrs(NULL);
}

static void names(void)
{
	printf("-- names\n");
	struct if_nameindex *all = if_nameindex();
	for (struct if_nameindex *i = all; i && i->if_name; i++) {
		char name[IF_NAMESIZE] = "";
		printf("%u %s %u %s\n", i->if_index, i->if_name, if_nametoindex(i->if_name), if_indextoname(i->if_index, name));
	}
	if_freenameindex(all);
	char name[IF_NAMESIZE];
	errno = 0;
	printf("no such name: %u %s\n", if_nametoindex("nosuch"), strerrorname_np(errno));
	errno = 0;
	printf("no such index: %d %s\n", if_indextoname(99, name) != NULL, strerrorname_np(errno));
	errno = 0;
	printf("index 0: %d %s\n", if_indextoname(0, name) != NULL, strerrorname_np(errno));
}

struct request {
	unsigned long number;
	const char *text;
};
#define R(number) {number, #number}
static const struct request REQUESTS[] = {
	R(SIOCGIFFLAGS), R(SIOCGIFADDR), R(SIOCGIFDSTADDR), R(SIOCGIFBRDADDR), R(SIOCGIFNETMASK), R(SIOCGIFMETRIC),
	R(SIOCGIFMTU), R(SIOCGIFHWADDR), R(SIOCGIFINDEX), R(SIOCGIFTXQLEN), R(SIOCGIFMAP), R(SIOCGIFMEM),
	R(SIOCGIFSLAVE), R(SIOCGIFPFLAGS), R(SIOCGIFCOUNT), R(SIOCGIFENCAP),
};

static void one(int fd, const struct request *r, const char *name, int family)
{
	struct ifreq q;
	memset(&q, 0x5a, sizeof q);
	memset(q.ifr_name, 0, sizeof q.ifr_name);
	strcpy(q.ifr_name, name);
	q.ifr_addr.sa_family = family;
	if (ioctl(fd, r->number, &q) < 0) {
		printf("%s %s %s\n", r->text, name, strerrorname_np(errno));
		return;
	}
	printf("%s %s -> %.16s ", r->text, name, q.ifr_name);
	for (unsigned i = 0; i < sizeof q.ifr_ifru; i++)
		printf("%02x", ((unsigned char *)&q.ifr_ifru)[i]);
	printf("\n");
}

static void requests(const char *title, int fd, const char *link)
{
	printf("-- ioctl on %s\n", title);
	const char *names[] = {"lo", link, "nosuch", ""};
	for (unsigned i = 0; i < sizeof REQUESTS / sizeof *REQUESTS; i++)
		for (unsigned n = 0; n < sizeof names / sizeof *names; n++)
			one(fd, &REQUESTS[i], names[n], AF_UNSPEC);
	struct request address = R(SIOCGIFADDR), mtu = R(SIOCGIFMTU);
	char alias[IF_NAMESIZE];
	snprintf(alias, sizeof alias, "%s:1", link);
	one(fd, &address, alias, AF_UNSPEC);
	one(fd, &mtu, alias, AF_UNSPEC);
	one(fd, &address, link, AF_INET);
	for (int index = -1; index < 4; index++) {
		struct ifreq q;
		memset(&q, 0, sizeof q);
		q.ifr_ifindex = index;
		int r = ioctl(fd, SIOCGIFNAME, &q);
		printf("SIOCGIFNAME %d: %s\n", index, r < 0 ? strerrorname_np(errno) : q.ifr_name);
	}
	struct ifreq list[8];
	for (int room = 0; room <= 4; room++) {
		struct ifconf c = {.ifc_len = room ? room * (int)sizeof *list - (room == 4) : 0};
		c.ifc_req = room ? list : NULL;
		int r = ioctl(fd, SIOCGIFCONF, &c);
		printf("SIOCGIFCONF room %d: %s %d\n", room, r < 0 ? strerrorname_np(errno) : "0", c.ifc_len);
		for (unsigned i = 0; room && r == 0 && i < c.ifc_len / sizeof *list; i++) {
			printf("  %s", list[i].ifr_name);
			show("address", &list[i].ifr_addr);
			printf("\n");
		}
	}
	printf("no memory: %s\n", ioctl(fd, SIOCGIFMTU, (void *)8) < 0 ? strerrorname_np(errno) : "0");
	printf("no list: %s\n", ioctl(fd, SIOCGIFCONF, (void *)8) < 0 ? strerrorname_np(errno) : "0");
}

int main(int argc, char **argv)
{
	const char *link = argc > 1 ? argv[1] : "nc0";
	addresses();
	names();
	static const struct {
		int family, type;
		const char *title;
	} kinds[] = {
		{AF_INET, SOCK_STREAM, "TCP"},
		{AF_INET6, SOCK_STREAM, "TCP over IPv6"},
		{AF_INET, SOCK_DGRAM, "UDP"},
		{AF_INET6, SOCK_DGRAM, "UDP over IPv6"},
	};
	for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		int fd = socket(kinds[i].family, kinds[i].type, 0);
		requests(kinds[i].title, fd, link);
		close(fd);
	}
	return 0;
}
