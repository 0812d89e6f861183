/* Injects one fault at the N-th file operation that writes below a folder. Loaded with LD_PRELOAD; see faults.py.

   FAULTS_FOLDER   only operations on this folder and below count
   FAULTS_COUNTER  a file that holds the number of operations so far, shared by all processes of a run
   FAULTS_LOG      a file that gets one line per operation: its number, its kind and the path
   FAULTS_AT       which operation fails, from 1; 0 for none
   FAULTS_DO       kill, interrupt, torn, EIO, ENOSPC or EACCES
   FAULTS_LASTING  1 if later operations that need space or permission fail like that one */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#undef open64
#undef openat64
#undef creat64
#undef pwrite64
#undef ftruncate64

static char folder[PATH_MAX];
static long at;
static const char *action = "";
static int is_lasting;
static volatile long *counter;
static int log_descriptor = -1;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int real_open(const char *path, int flags, int mode) {
    static int (*real)(const char *, int, ...);
    if (real == NULL) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return real(path, flags, mode);
}

__attribute__((constructor)) static void start(void) {
    const char *wanted = getenv("FAULTS_FOLDER"), *number = getenv("FAULTS_AT");
    const char *counted = getenv("FAULTS_COUNTER"), *logged = getenv("FAULTS_LOG");
    if (wanted == NULL || number == NULL || counted == NULL || logged == NULL) return;
    if (realpath(wanted, folder) == NULL) return;
    at = atol(number);
    action = getenv("FAULTS_DO") != NULL ? getenv("FAULTS_DO") : "";
    is_lasting = getenv("FAULTS_LASTING") != NULL;
    int descriptor = real_open(counted, O_RDWR | O_CLOEXEC, 0);
    void *shared = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    log_descriptor = real_open(logged, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
    if (shared != MAP_FAILED && log_descriptor >= 0) counter = shared;
}

/* The path of an open file, or "" */
static void path_of(int descriptor, char *found) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, found, PATH_MAX - 1);
    found[length < 0 ? 0 : length] = 0;
}

/* The absolute path of what ``path`` names below ``directory``; the last part need not exist */
static void path_below(int directory, const char *path, char *found) {
    char joined[2 * PATH_MAX], base[PATH_MAX];
    if (path[0] == '/') {
        snprintf(joined, sizeof joined, "%s", path);
    } else {
        if (directory == AT_FDCWD) {
            if (getcwd(base, sizeof base) == NULL) base[0] = 0;
        } else {
            path_of(directory, base);
        }
        snprintf(joined, sizeof joined, "%s/%s", base, path);
    }
    char *last = strrchr(joined, '/');
    if (last == NULL || strcmp(last, "/..") == 0 || strcmp(last, "/.") == 0 || last[1] == 0) {
        if (realpath(joined, found) == NULL) snprintf(found, PATH_MAX, "%s", joined);
        return;
    }
    *last = 0;
    if (realpath(joined[0] == 0 ? "/" : joined, base) == NULL) snprintf(base, sizeof base, "%s", joined);
    if (snprintf(found, PATH_MAX, "%s/%s", strcmp(base, "/") == 0 ? "" : base, last + 1) >= PATH_MAX) found[0] = 0;
}

static int is_below(const char *path) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

static int is_error(void) { return action[0] == 'E'; }

static int fail(void) {
    errno = strcmp(action, "ENOSPC") == 0 ? ENOSPC : strcmp(action, "EACCES") == 0 ? EACCES : EIO;
    return -1;
}

static int frees_space(const char *kind) {
    return strncmp(kind, "unlink", 6) == 0 || strcmp(kind, "rmdir") == 0 || strncmp(kind, "rename", 6) == 0;
}

/* Counts an operation. -1: fail with errno; 1: do half of it, then die; 0: do it. Dies itself where it is to. */
static int before(const char *kind, const char *path) {
    int saved = errno;
    if (counter == NULL || !is_below(path)) return 0;
    long number = __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
    dprintf(log_descriptor, "%ld\t%s\t%s\n", number, kind, path);
    errno = saved;
    if (at == 0 || number < at) return 0;
    if (number > at) return is_lasting && is_error() && !frees_space(kind) ? fail() : 0;
    if (is_error()) return fail();
    if (strcmp(action, "interrupt") == 0) kill(getpid(), SIGINT);
    if (strcmp(action, "kill") == 0) kill(getpid(), SIGKILL);
    return strcmp(action, "torn") == 0;
}

/* Ends a torn operation. */
static void after(int is_torn) {
    if (is_torn) kill(getpid(), SIGKILL);
}

static int before_descriptor(const char *kind, int descriptor) {
    if (counter == NULL) return 0;
    int saved = errno;
    char path[PATH_MAX];
    path_of(descriptor, path);
    errno = saved;
    return before(kind, path);
}

static int before_path(const char *kind, int directory, const char *name) {
    if (counter == NULL || name == NULL) return 0;
    int saved = errno;
    char path[PATH_MAX];
    path_below(directory, name, path);
    errno = saved;
    return before(kind, path);
}

/* A rename or link counts if either end is below the folder. */
static int before_pair(const char *kind, int from, const char *old, int to, const char *new) {
    if (counter == NULL || old == NULL || new == NULL) return 0;
    int saved = errno;
    char path[PATH_MAX];
    path_below(to, new, path);
    if (!is_below(path)) path_below(from, old, path);
    errno = saved;
    return before(kind, path);
}

#define WHOLE(call, torn) \
    do { \
        if (torn < 0) return -1; \
        __typeof__(call) result = (call); \
        after(torn); \
        return result; \
    } while (0)

#define OPEN_LIKE(name, parameters, directory, call) \
    int name parameters { \
        static __typeof__(name) *real; \
        if (real == NULL) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name); \
        int mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, int); \
            va_end(rest); \
        } \
        int writes = (flags & (O_CREAT | O_TRUNC)) || (flags & O_ACCMODE) != O_RDONLY; \
        int torn = writes ? before_path("open", directory, path) : 0; \
        WHOLE(call, torn); \
    }

OPEN_LIKE(open, (const char *path, int flags, ...), AT_FDCWD, real(path, flags, mode))
OPEN_LIKE(open64, (const char *path, int flags, ...), AT_FDCWD, real(path, flags, mode))
OPEN_LIKE(openat, (int directory, const char *path, int flags, ...), directory, real(directory, path, flags, mode))
OPEN_LIKE(openat64, (int directory, const char *path, int flags, ...), directory, real(directory, path, flags, mode))

#define ON_PATH(name, kind, parameters, directory, path, call) \
    int name parameters { \
        REAL(name); \
        int torn = before_path(kind, directory, path); \
        WHOLE(call, torn); \
    }

ON_PATH(creat, "open", (const char *path, mode_t mode), AT_FDCWD, path, real(path, mode))
ON_PATH(creat64, "open", (const char *path, mode_t mode), AT_FDCWD, path, real(path, mode))
ON_PATH(mkdir, "mkdir", (const char *path, mode_t mode), AT_FDCWD, path, real(path, mode))
ON_PATH(mkdirat, "mkdir", (int at_, const char *path, mode_t mode), at_, path, real(at_, path, mode))
ON_PATH(rmdir, "rmdir", (const char *path), AT_FDCWD, path, real(path))
ON_PATH(unlink, "unlink", (const char *path), AT_FDCWD, path, real(path))
ON_PATH(unlinkat, "unlink", (int at_, const char *path, int flags), at_, path, real(at_, path, flags))
ON_PATH(symlink, "symlink", (const char *to, const char *path), AT_FDCWD, path, real(to, path))
ON_PATH(chmod, "chmod", (const char *path, mode_t mode), AT_FDCWD, path, real(path, mode))
ON_PATH(fchmodat, "chmod", (int at_, const char *path, mode_t mode, int flags), at_, path,
        real(at_, path, mode, flags))
ON_PATH(chown, "chown", (const char *path, uid_t user, gid_t group), AT_FDCWD, path, real(path, user, group))
ON_PATH(truncate, "truncate", (const char *path, off_t length), AT_FDCWD, path, real(path, length))

#define ON_PAIR(name, kind, parameters, from, old, to, new, call) \
    int name parameters { \
        REAL(name); \
        int torn = before_pair(kind, from, old, to, new); \
        WHOLE(call, torn); \
    }

ON_PAIR(rename, "rename", (const char *old, const char *new), AT_FDCWD, old, AT_FDCWD, new, real(old, new))
ON_PAIR(renameat, "rename", (int from, const char *old, int to, const char *new), from, old, to, new,
        real(from, old, to, new))
ON_PAIR(renameat2, "rename", (int from, const char *old, int to, const char *new, unsigned int flags), from, old, to,
        new, real(from, old, to, new, flags))
ON_PAIR(link, "link", (const char *old, const char *new), AT_FDCWD, old, AT_FDCWD, new, real(old, new))
ON_PAIR(linkat, "link", (int from, const char *old, int to, const char *new, int flags), from, old, to, new,
        real(from, old, to, new, flags))

#define ON_DESCRIPTOR(name, kind, parameters, call) \
    int name parameters { \
        REAL(name); \
        int torn = before_descriptor(kind, descriptor); \
        WHOLE(call, torn); \
    }

ON_DESCRIPTOR(fsync, "fsync", (int descriptor), real(descriptor))
ON_DESCRIPTOR(fdatasync, "fsync", (int descriptor), real(descriptor))
ON_DESCRIPTOR(fchmod, "chmod", (int descriptor, mode_t mode), real(descriptor, mode))
ON_DESCRIPTOR(fchown, "chown", (int descriptor, uid_t user, gid_t group), real(descriptor, user, group))
ON_DESCRIPTOR(ftruncate, "truncate", (int descriptor, off_t length), real(descriptor, length))
ON_DESCRIPTOR(ftruncate64, "truncate", (int descriptor, off64_t length), real(descriptor, length))

#define WRITE_LIKE(name, parameters, target, half, call) \
    ssize_t name parameters { \
        REAL(name); \
        int torn = before_descriptor("write", target); \
        if (torn > 0) half; \
        WHOLE(call, torn); \
    }

WRITE_LIKE(write, (int descriptor, const void *data, size_t size), descriptor, size /= 2, real(descriptor, data, size))
WRITE_LIKE(pwrite, (int descriptor, const void *data, size_t size, off_t from), descriptor, size /= 2,
           real(descriptor, data, size, from))
WRITE_LIKE(pwrite64, (int descriptor, const void *data, size_t size, off64_t from), descriptor, size /= 2,
           real(descriptor, data, size, from))
WRITE_LIKE(writev, (int descriptor, const struct iovec *parts, int count), descriptor, count /= 2,
           real(descriptor, parts, count))
WRITE_LIKE(sendfile, (int descriptor, int from, off_t *start, size_t size), descriptor, size /= 2,
           real(descriptor, from, start, size))
WRITE_LIKE(copy_file_range, (int from, off64_t *start, int to, off64_t *end, size_t size, unsigned int flags), to,
           size /= 2, real(from, start, to, end, size, flags))
