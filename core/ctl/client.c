/* SPDX-License-Identifier: ISC */
/*
 * Blocking for whoever calls, but never past the deadline: the socket itself does not block. One
 * connection a request, so that nothing is left over between two.
 */
#include "core/ctl/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/clock.h"

/* Between two looks at a job: short ones end at once, long ones are not asked too often. */
#define LOOK_FIRST_MS 10
#define LOOK_MAX_MS   250

static int64_t now_ms(void)
{
    const struct clock *c = clock_system();
    return c->mono_ms(c);
}

static int nap(int64_t ms)
{
    return poll(NULL, 0, (int)ms);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static int cannot_connect(const char *path, int sys, struct err *err)
{
    if (sys == ENOENT || sys == ECONNREFUSED || sys == ENOTDIR)
        return err_set(err, E_DOWN, "the engine is not running (%s)", path);
    if (sys == EACCES || sys == EPERM)
        return err_sys(err, E_DENIED, sys, "asking the engine at %s", path);
    return err_sys(err, E_NET, sys, "asking the engine at %s", path);
}

static int too_late(const char *path, struct err *err)
{
    return err_set(err, E_TIMEOUT, "the engine does not answer in time (%s)", path);
}

/* A connected socket, or an error. */
static int dial(const char *path, int64_t deadline, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!str_copy(str_of(path), a.sun_path, sizeof a.sun_path))
        return err_set(err, E_LIMIT, "the path of the engine's socket is too long: %s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, E_NET, errno, "making a socket");
    while (connect(fd, (const struct sockaddr *)&a, sizeof a) < 0) {
        int sys = errno;
        /* A full backlog says EAGAIN on Unix sockets, and there is nothing to poll for. */
        if ((sys == EAGAIN || sys == EINTR) && now_ms() < deadline) {
            nap(10);
            continue;
        }
        close(fd);
        return sys == EAGAIN ? too_late(path, err) : cannot_connect(path, sys, err);
    }
    return fd;
}

/* Until fd is ready for the events; false when the deadline has passed. */
static bool wait_for(int fd, short events, int64_t deadline)
{
    for (;;) {
        int64_t left = deadline - now_ms();
        if (left <= 0)
            return false;
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, (int)(left < 60000 ? left : 60000));
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

static int send_all(int fd, struct str s, const char *path, int64_t deadline, struct err *err)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n > 0) {
            s = str_sub(s, (size_t)n, s.n);
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, deadline))
                return too_late(path, err);
        } else if (errno != EINTR) {
            return err_sys(err, E_NET, errno, "asking the engine at %s", path);
        }
    }
    return 0;
}

/* The first line into *in, without its newline. */
static int read_line(int fd, struct buf *in, const char *path, int64_t deadline, struct err *err)
{
    for (;;) {
        char chunk[8192];
        if (!wait_for(fd, POLLIN, deadline))
            return too_late(path, err);
        ssize_t n = recv(fd, chunk, sizeof chunk, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n < 0)
            return err_sys(err, E_NET, errno, "reading the engine's answer");
        if (n == 0)
            return err_set(err, E_NET, "the engine closed the connection without an answer");
        buf_add(in, chunk, (size_t)n);
        size_t end = str_find(buf_str(in), '\n');
        if (end < in->n) {
            buf_truncate(in, end);
            return 0;
        }
        if (in->n > CTL_LINE_MAX)
            return err_set(err, E_LIMIT, "the engine's answer is longer than %u KiB",
                           CTL_LINE_MAX / 1024);
    }
}

static int call_until(const char *path, const struct ctl_request *req, int64_t deadline,
                      struct ctl_reply *out, struct err *err)
{
    struct buf line CLEANUP(buf_done) = BUF_INIT, in CLEANUP(buf_done) = BUF_INIT;
    *out = (struct ctl_reply){0};
    int fd CLEANUP(close_fd) = dial(path, deadline, err);
    if (fd < 0)
        return fd;
    ctl_request_write(req, &line);
    int rc = send_all(fd, buf_str(&line), path, deadline, err);
    if (rc >= 0)
        rc = read_line(fd, &in, path, deadline, err);
    if (rc < 0)
        return rc;
    rc = ctl_reply_parse(buf_str(&in), out, err);
    return rc < 0 ? err_while(err, "reading the engine's answer") : 0;
}

int ctl_call(const char *socket_path, const struct ctl_request *req, int64_t timeout_ms,
             struct ctl_reply *out, struct err *err)
{
    return call_until(socket_path, req, now_ms() + timeout_ms, out, err);
}

int ctl_run_job(const char *socket_path, const struct ctl_request *req, int64_t timeout_ms,
                void (*progress)(void *arg, const struct ctl_job *job), void *arg,
                struct ctl_reply *out, struct err *err)
{
    int64_t deadline = now_ms() + timeout_ms, pause = LOOK_FIRST_MS;
    int rc = call_until(socket_path, req, deadline, out, err);
    while (rc >= 0 && out->kind == CTL_REPLY_JOB && out->job.state == CTL_JOB_RUNNING) {
        struct ctl_request look = {.verb = CTL_JOB, .job = out->job.id};
        if (progress)
            progress(arg, &out->job);
        if (now_ms() + pause >= deadline)
            return err_set(err, E_TIMEOUT, "job %lld is still running in the engine",
                           (long long)out->job.id);
        nap(pause);
        pause = pause * 2 < LOOK_MAX_MS ? pause * 2 : LOOK_MAX_MS;
        ctl_reply_done(out);
        rc = call_until(socket_path, &look, deadline, out, err);
    }
    return rc;
}
