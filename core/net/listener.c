/* SPDX-License-Identifier: ISC */
/*
 * Listeners over libuv, on TCP ports and on Unix socket files. A socket file belongs to whoever
 * answers on it: one that nobody answers on is replaced, and only our own is unlinked.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "core/base/alloc.h"
#include "core/net/conn.h"
#include "core/net/uv.h"

struct listener {
    struct loop_base base;
    union stream uv;
    struct loop *loop; /* borrowed */
    listener_accept *accept;
    void *arg;
    bool is_freed;
    char *path; /* own: a Unix socket's */
    ino_t ino;  /* of path, so that only our own file is unlinked */
    dev_t dev;
};

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *l = handle->data;

    free(l->path);
    free(l);
}

static void unlink_own(const struct listener *l)
{
    struct stat st;

    if (l->path && l->ino && lstat(l->path, &st) == 0 && st.st_ino == l->ino && st.st_dev == l->dev)
        unlink(l->path);
}

void listener_free(struct listener *l)
{
    if (!l || l->is_freed)
        return;
    l->is_freed = true;
    unlink_own(l);
    uv_close(&l->uv.handle, on_listener_closed);
}

static void abandon_listener(struct loop_base *b)
{
    listener_free(container_of(b, struct listener, base));
}

static struct listener *listener_new(struct loop *loop, listener_accept *accept, void *arg)
{
    struct listener *l = xnew(struct listener);

    l->base.abandon = abandon_listener;
    l->loop = loop;
    l->accept = accept;
    l->arg = arg;
    return l;
}

static void on_connection(uv_stream_t *s, int status)
{
    struct listener *l = s->data;
    struct peer peer;

    /* Out of descriptors, or gone before it was taken: libuv goes on listening. */
    if (status < 0 || l->is_freed)
        return;
    struct conn *c = conn_accept(l->loop, s, l->path != NULL, &peer);

    if (!c)
        return;
    l->accept(l->arg, c, &peer);
    conn_accepted(c);
}

static int tcp_error(struct err *err, const struct ip *ip, uint16_t port, int sys)
{
    char text[48];
    const char *open = ip->family == 6 ? "[" : "", *close = ip->family == 6 ? "]" : "";

    ip_text(ip, text);
    switch (sys) {
    case EADDRINUSE:
        return err_set(err, E_NET, "%s%s%s:%u is in use by another program", open, text, close,
                       port);
    case EACCES:
        return err_set(err, E_NET, "listening on %s%s%s:%u needs root or CAP_NET_BIND_SERVICE",
                       open, text, close, port);
    case EADDRNOTAVAIL:
        return err_set(err, E_NET, "%s%s%s:%u: this machine does not have that address", open, text,
                       close, port);
    default: return err_sys(err, E_NET, sys, "listening on %s%s%s:%u", open, text, close, port);
    }
}

int listener_tcp(struct loop *loop, const struct ip *ip, uint16_t port, int backlog,
                 listener_accept *accept, void *arg, struct listener **out, struct err *err)
{
    struct listener *l = listener_new(loop, accept, arg);
    struct sockaddr_storage ss;

    stream_to_sockaddr(ip, port, &ss);
    verify(uv_tcp_init(&loop->uv, &l->uv.tcp) == 0);
    l->uv.handle.data = l;
    /* libuv sets SO_REUSEADDR. IPv6 only: "0.0.0.0" and "[::]" can stand beside each other. */
    int rc = uv_tcp_bind(&l->uv.tcp, (struct sockaddr *)&ss, ip->family == 6 ? UV_TCP_IPV6ONLY : 0);

    if (rc == 0)
        rc = uv_listen(&l->uv.stream, backlog, on_connection);
    if (rc != 0) {
        listener_free(l);
        return tcp_error(err, ip, port, -rc);
    }
    *out = l;
    return 0;
}

/* Does anybody answer on the socket file? 0 = no, and the way is free. */
static int remove_stale(const struct sockaddr_un *un, struct err *err)
{
    struct stat st;

    if (lstat(un->sun_path, &st) != 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, E_IO, "%s exists and is not a socket", un->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return err_sys(err, E_NET, errno, "looking at %s", un->sun_path);
    int sys = connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0 ? 0 : errno;

    close(fd);
    /* EAGAIN: somebody's backlog is full. */
    if (sys == 0 || sys == EAGAIN)
        return err_set(err, E_BUSY, "another program answers on %s", un->sun_path);
    if (sys != ECONNREFUSED && sys != ENOENT)
        return err_sys(err, E_NET, sys, "looking at %s", un->sun_path);
    if (unlink(un->sun_path) != 0 && errno != ENOENT)
        return err_sys(err, E_IO, errno, "removing the stale socket %s", un->sun_path);
    return 0;
}

/* Nobody can connect before listen, so that the mode is right before it matters: the socket's own
 * mode limits what bind makes, and chmod undoes the umask. */
static int bind_unix(int fd, const struct sockaddr_un *un, unsigned mode)
{
    if (fchmod(fd, mode) != 0 || bind(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 ||
        chmod(un->sun_path, mode) != 0)
        return errno;
    return 0;
}

static int open_unix(struct listener *l, const struct sockaddr_un *un, unsigned mode, int backlog)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return errno;
    int sys = bind_unix(fd, un, mode);

    if (sys == 0)
        sys = -uv_pipe_open(&l->uv.pipe, fd);
    if (sys != 0) {
        close(fd);
        return sys;
    }
    struct stat st;

    if (lstat(un->sun_path, &st) == 0) {
        l->ino = st.st_ino;
        l->dev = st.st_dev;
    }
    return -uv_listen(&l->uv.stream, backlog, on_connection);
}

int listener_unix(struct loop *loop, const char *path, unsigned mode, int backlog,
                  listener_accept *accept, void *arg, struct listener **out, struct err *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    if (!str_copy(str_of(path), un.sun_path, sizeof(un.sun_path)))
        return err_set(err, E_LIMIT, "%s: the path of a socket has at most %zu octets", path,
                       sizeof(un.sun_path) - 1);
    int rc = remove_stale(&un, err);

    if (rc != 0)
        return rc;
    struct listener *l = listener_new(loop, accept, arg);

    l->path = xstrdup(path);
    verify(uv_pipe_init(&loop->uv, &l->uv.pipe, 0) == 0);
    l->uv.handle.data = l;
    int sys = open_unix(l, &un, mode, backlog);

    if (sys != 0) {
        listener_free(l);
        return err_sys(err, E_NET, sys, "listening on %s", path);
    }
    *out = l;
    return 0;
}

uint16_t listener_port(const struct listener *l)
{
    struct sockaddr_storage ss;
    struct ip ip;
    uint16_t port = 0;
    int n = sizeof(ss);

    if (l->uv.handle.type == UV_TCP &&
        uv_tcp_getsockname(&l->uv.tcp, (struct sockaddr *)&ss, &n) == 0)
        stream_from_sockaddr(&ss, &ip, &port);
    return port;
}
