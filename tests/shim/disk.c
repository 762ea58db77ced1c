/* A disk that remembers, and that can be told to fail.
 *
 * Loaded before the C library (LD_PRELOAD), it stands between a program and its files. It looks at
 * files and folders below SPINE_DISK_ROOT alone.
 *
 * SPINE_DISK_LOG names a file to which everything is written that changes what a disk holds, in the
 * order in which it happened: what was made, written, cut, renamed and removed, and when each sync
 * began and ended. From that a test can build what would be left after a power cut at any point.
 *
 * SPINE_DISK_CONTROL names a file of the form of `struct control`, by which a test lets the disk fill
 * up and syncs fail, while the program runs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* What a record says. `tests/suite/crash/harness/log.rs` reads these. */
enum kind { MADE = 1, OPENED, FOLDER, WROTE, CUT, SYNCING, SYNCED, REMOVED, RENAMED };

struct record {
    uint32_t kind;
    uint32_t length;   /* of what follows: a path, two paths with a zero between them, or data */
    uint64_t file;     /* the inode; 0 where a path says it */
    int64_t number;    /* an offset, a length, or the number of a sync */
    int64_t result;    /* of a sync: 0, or the error */
};

/* Which files a fault is about. */
/* What a fault is about; a scope's file and the registry are databases both. */
enum of { ALL, DATABASE, LOG, INDEX, SCOPE, REGISTRY };

/* What a test says; `tests/suite/crash/harness/shim.rs` writes it. */
struct control {
    int64_t room;          /* bytes that files may still grow by; below 0: no limit */
    int64_t room_of;       /* which files */
    int64_t failing;       /* how many syncs fail from now on; below 0: all */
    int64_t failing_of;    /* of which files */
    int64_t refused;       /* how many writes found no room */
    int64_t failed;        /* how many syncs failed */
};

enum { FILES_MAX = 65536, PATH_BYTES = 1024 };

struct file {
    uint64_t inode;    /* 0: not looked at */
    char logged;       /* its writes are remembered; those of a shared-memory file are not */
    char of;           /* as in `enum of` */
};

static struct file files[FILES_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char root[PATH_BYTES];
static size_t root_length;
static int log_file = -1;
static struct control *control;
static int64_t syncs;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);
static int (*real_rename)(const char *, const char *);
static int (*real_mkdir)(const char *, mode_t);

static void prepare(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_mkdir = dlsym(RTLD_NEXT, "mkdir");
    const char *name = getenv("SPINE_DISK_ROOT");
    if (name != NULL && strlen(name) < PATH_BYTES) {
        strcpy(root, name);
        root_length = strlen(name);
    }
    name = getenv("SPINE_DISK_LOG");
    if (name != NULL)
        log_file = real_open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    name = getenv("SPINE_DISK_CONTROL");
    if (name != NULL) {
        int file = real_open(name, O_RDWR | O_CLOEXEC);
        if (file >= 0) {
            void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
            control = at == MAP_FAILED ? NULL : at;
            real_close(file);
        }
    }
}

static void ready(void) { pthread_once(&once, prepare); }

/* Whether a path lies below the root, or is it. */
static int is_ours(const char *path) {
    return root_length > 0 && path != NULL && strncmp(path, root, root_length) == 0 &&
           (path[root_length] == '/' || path[root_length] == 0);
}

static int ends(const char *text, const char *with) {
    size_t length = strlen(text), other = strlen(with);
    return length >= other && strcmp(text + length - other, with) == 0;
}

/* Writes a record; the lock is held. A record that is cut off by a kill is the last one. */
static void note(struct record record, const void *data) {
    if (log_file < 0) return;
    struct iovec parts[2] = {{&record, sizeof record}, {(void *)data, record.length}};
    (void)!real_writev(log_file, parts, record.length > 0 ? 2 : 1);
}

static uint64_t inode_of(int file) {
    struct stat64 about;
    return fstat64(file, &about) == 0 ? about.st_ino : 0;
}

static struct file *known(int file) {
    return file >= 0 && file < FILES_MAX && files[file].inode != 0 ? &files[file] : NULL;
}

static int open_as(const char *path, int flags, mode_t mode) {
    ready();
    if (!is_ours(path)) return real_open(path, flags, mode);
    pthread_mutex_lock(&lock);
    struct stat64 before;
    int was_there = stat64(path, &before) == 0;
    int file = real_open(path, flags, mode);
    int error = errno;
    if (file >= 0 && file < FILES_MAX) {
        struct file *entry = &files[file];
        entry->inode = inode_of(file);
        entry->logged = !ends(path, "-shm");
        entry->of = ends(path, "/registry.db") ? REGISTRY
                    : ends(path, ".db")        ? SCOPE
                    : ends(path, ".db-wal")    ? LOG
                    : ends(path, "-shm")       ? INDEX
                                               : ALL;
        if (entry->logged) {
            struct record record = {was_there ? OPENED : MADE, strlen(path), entry->inode, 0, 0};
            note(record, path);
            if (was_there && (flags & O_TRUNC) != 0) note((struct record){CUT, 0, entry->inode, 0, 0}, NULL);
        }
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return file;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_as(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_as(path, flags, mode);
}

int close(int file) {
    ready();
    if (known(file)) files[file].inode = 0;
    return real_close(file);
}

static int is_about(int64_t of, const struct file *file) {
    return of == ALL || of == file->of || (of == DATABASE && (file->of == SCOPE || file->of == REGISTRY));
}

/* Takes what a write lets a file grow by from the room that is left; the lock is held. */
static int has_room(int file, int64_t end) {
    struct stat64 about;
    if (control == NULL || control->room < 0 || !is_about(control->room_of, &files[file])) return 1;
    if (fstat64(file, &about) != 0) return 1;
    int64_t more = end - about.st_size;
    if (more <= 0) return 1;
    if (more > control->room) {
        __atomic_add_fetch(&control->refused, 1, __ATOMIC_SEQ_CST);
        return 0;
    }
    control->room -= more;
    return 1;
}

static void give_back(int64_t bytes) {
    if (control != NULL && control->room >= 0 && bytes > 0) control->room += bytes;
}

static ssize_t written(int file, const void *data, size_t length, off64_t offset, int at_offset) {
    struct file *entry = known(file);
    pthread_mutex_lock(&lock);
    if (!at_offset) {
        offset = lseek64(file, 0, SEEK_CUR);
        int flags = fcntl(file, F_GETFL);
        struct stat64 about;
        if (flags >= 0 && (flags & O_APPEND) != 0 && fstat64(file, &about) == 0) offset = about.st_size;
    }
    ssize_t done = -1;
    int error = ENOSPC;
    if (has_room(file, offset + (int64_t)length)) {
        done = at_offset ? real_pwrite(file, data, length, offset) : real_write(file, data, length);
        error = errno;
    }
    if (done > 0 && entry->logged)
        note((struct record){WROTE, (uint32_t)done, entry->inode, offset, 0}, data);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t write(int file, const void *data, size_t length) {
    ready();
    return known(file) ? written(file, data, length, 0, 0) : real_write(file, data, length);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    ready();
    return known(file) ? written(file, data, length, offset, 1) : real_pwrite(file, data, length, offset);
}

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
    ready();
    return known(file) ? written(file, data, length, offset, 1) : real_pwrite(file, data, length, offset);
}

static int cut(int file, off64_t length) {
    struct file *entry = known(file);
    if (entry == NULL) return real_ftruncate(file, length);
    pthread_mutex_lock(&lock);
    struct stat64 about = {0};
    fstat64(file, &about);
    int done = -1, error = ENOSPC;
    if (length <= about.st_size || has_room(file, length)) {
        done = real_ftruncate(file, length);
        error = errno;
    }
    if (done == 0) {
        give_back(about.st_size - length);
        if (entry->logged) note((struct record){CUT, 0, entry->inode, length, 0}, NULL);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int ftruncate(int file, off_t length) {
    ready();
    return cut(file, length);
}

int ftruncate64(int file, off64_t length) {
    ready();
    return cut(file, length);
}

/* What is written while a sync is under way may be in it or not: so its beginning and its end are
 * noted, and nobody waits for it. */
static int synced(int file, int (*real)(int)) {
    struct file *entry = known(file);
    if (entry == NULL) return real(file);
    pthread_mutex_lock(&lock);
    int64_t number = ++syncs + ((int64_t)getpid() << 32);
    struct file held = *entry;
    if (held.logged) note((struct record){SYNCING, 0, held.inode, number, 0}, NULL);
    int fails = control != NULL && control->failing != 0 && is_about(control->failing_of, &held);
    if (fails) {
        if (control->failing > 0) control->failing--;
        __atomic_add_fetch(&control->failed, 1, __ATOMIC_SEQ_CST);
    }
    pthread_mutex_unlock(&lock);
    int done = fails ? -1 : real(file);
    int error = fails ? EIO : errno;
    pthread_mutex_lock(&lock);
    if (held.logged) note((struct record){SYNCED, 0, held.inode, number, done == 0 ? 0 : error}, NULL);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int fsync(int file) {
    ready();
    return synced(file, real_fsync);
}

int fdatasync(int file) {
    ready();
    return synced(file, real_fdatasync);
}

int unlink(const char *path) {
    ready();
    if (!is_ours(path)) return real_unlink(path);
    pthread_mutex_lock(&lock);
    struct stat64 about = {0};
    stat64(path, &about);
    int done = real_unlink(path);
    int error = errno;
    if (done == 0) {
        give_back(about.st_size);
        if (!ends(path, "-shm")) note((struct record){REMOVED, strlen(path), 0, 0, 0}, path);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int rename(const char *from, const char *to) {
    ready();
    if (!is_ours(from) && !is_ours(to)) return real_rename(from, to);
    pthread_mutex_lock(&lock);
    int done = real_rename(from, to);
    int error = errno;
    char both[2 * PATH_BYTES];
    size_t first = strlen(from), second = strlen(to);
    if (done == 0 && first + second + 1 < sizeof both) {
        memcpy(both, from, first + 1);
        memcpy(both + first + 1, to, second);
        note((struct record){RENAMED, first + 1 + second, 0, 0, 0}, both);
    }
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int mkdir(const char *path, mode_t mode) {
    ready();
    if (!is_ours(path)) return real_mkdir(path, mode);
    pthread_mutex_lock(&lock);
    int done = real_mkdir(path, mode);
    int error = errno;
    struct stat64 about;
    if (done == 0 && stat64(path, &about) == 0)
        note((struct record){FOLDER, strlen(path), about.st_ino, 0, 0}, path);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}
