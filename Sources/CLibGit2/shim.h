#ifndef MOHA_CLIBGIT2_SHIM_H
#define MOHA_CLIBGIT2_SHIM_H

#include <git2.h>
#include <git2/sys/commit.h>
#include <git2/sys/repository.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * git_libgit2_opts() is variadic, which Swift does not import: one shim a
 * signature that is used. Each returns what git_libgit2_opts() returned.
 */
static inline int moha_git_enable_fsync_gitdir(int enabled)
{
	return git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, enabled);
}

static inline int moha_git_enable_strict_hash_verification(int enabled)
{
	return git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, enabled);
}

static inline int moha_git_set_search_path(int level, const char *path)
{
	return git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, path);
}

static inline int moha_git_get_search_path(int level, git_buf *path)
{
	return git_libgit2_opts(GIT_OPT_GET_SEARCH_PATH, level, path);
}

/* O_PATH, which the C library shows only with _GNU_SOURCE. */
static const int moha_o_path = 010000000;

/*
 * openat2(2) for reading, below `directory` and through no symbolic link at
 * any component. glibc has no wrapper for it, and syscall(2) is variadic.
 * Returns a descriptor, or -1 with errno: ENOSYS before Linux 5.6, and EPERM
 * under seccomp profiles that do not know it.
 */
static inline int moha_open_beneath(int directory, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

/*
 * syncfs(2): writes out everything of the file system that holds `descriptor`,
 * which the C library shows only with _GNU_SOURCE. 0, or -1 with errno.
 */
static inline int moha_sync_file_system(int descriptor)
{
	return (int)syscall(SYS_syncfs, descriptor);
}

/*
 * renameat2(2) with RENAME_EXCHANGE: both names of `directory` change places
 * in one step. The C library shows it only with _GNU_SOURCE. 0, or -1 with
 * errno: EINVAL where the file system cannot.
 */
static inline int moha_exchange(int directory, const char *one, const char *other)
{
	return (int)syscall(SYS_renameat2, directory, one, directory, other, RENAME_EXCHANGE);
}

#endif
