/*
 * The least that one durable, committed, projected write can cost: nothing is checked, locked, scanned or recovered.
 *
 *     durable_write WORKTREE N DATED-FOLDER
 *
 * Each of N writes, one after another: the record's file (temporary file, fsync, rename, fsync of the folder), the
 * counter's file (the same), two blobs, the changed trees, a commit, the branch, all with libgit2's fsync, and one
 * INSERT on an open connection (libpq's environment). Prints the latency of each write in microseconds, one a line.
 */
#include <fcntl.h>
#include <git2.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	const git_error *error = git_error_last();
	fprintf(stderr, "%s: %s\n", what, error ? error->message : "");
	exit(1);
}

static void check(int result, const char *what)
{
	if (result < 0)
		fail(what);
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void durable_file(const char *folder, const char *name, const char *bytes, size_t count)
{
	char temporary[1024], final[1024];
	snprintf(temporary, sizeof temporary, "%s/.tmp", folder);
	snprintf(final, sizeof final, "%s/%s", folder, name);
	int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (file < 0 || write(file, bytes, count) != (ssize_t)count || fsync(file) != 0)
		fail("write");
	close(file);
	if (rename(temporary, final) != 0)
		fail("rename");
	int directory = open(folder, O_RDONLY | O_DIRECTORY);
	if (directory < 0 || fsync(directory) != 0)
		fail("fsync of the folder");
	close(directory);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		fail("usage: durable_write WORKTREE N FOLDER");
	const char *tree_folder = argv[3];
	char folder[800], agent[800], name[64], path[900], body[700], identity[400];
	snprintf(agent, sizeof agent, "%s/.moha/maven", argv[1]);
	snprintf(folder, sizeof folder, "%s/%s", argv[1], tree_folder);
	snprintf(path, sizeof path, "mkdir -p %s", folder);
	if (system(path) != 0)
		fail("mkdir");
	memset(body, 'x', 600);

	check(git_libgit2_init(), "init");
	check(git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1), "fsync");
	git_repository *repository;
	check(git_repository_open(&repository, argv[1]), "open");
	git_odb *database;
	check(git_repository_odb(&database, repository), "objects");
	git_signature *author;
	check(git_signature_now(&author, "bound", "bound@localhost"), "signature");

	PGconn *connection = PQconnectdb("");
	PGresult *result = PQprepare(connection, "insert",
		"INSERT INTO maven_decisions (git_filename, decision_type, asset, action, reasoning, confidence, risk_level, "
		"decided_at) VALUES ($1, 'buy', 'BTC', 'Buy 1 BTC', $2, 98.0, 'low', now())", 0, NULL);
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		fprintf(stderr, "%s", PQerrorMessage(connection));
		return 1;
	}
	PQclear(result);

	for (int i = 0, count = atoi(argv[2]); i < count; i++) {
		double start = now();
		snprintf(name, sizeof name, "decision_bound_%d_%d.md", getpid(), i);
		snprintf(body, 20, "%019d", i);
		durable_file(folder, name, body, 600);
		int length = snprintf(identity, sizeof identity, "{\"name\": \"Maven\", \"total_decisions\": %d}\n", i);
		durable_file(agent, "identity.json", identity, length);

		git_reference *head;
		check(git_repository_head(&head, repository), "HEAD");
		git_commit *parent;
		check(git_commit_lookup(&parent, repository, git_reference_target(head)), "parent");
		git_tree *tree, *new_tree;
		check(git_commit_tree(&tree, parent), "tree");
		git_tree_update updates[2] = {
			{ .action = GIT_TREE_UPDATE_UPSERT, .filemode = GIT_FILEMODE_BLOB, .path = ".moha/maven/identity.json" },
			{ .action = GIT_TREE_UPDATE_UPSERT, .filemode = GIT_FILEMODE_BLOB, .path = path },
		};
		snprintf(path, sizeof path, "%s/%s", tree_folder, name);
		check(git_blob_create_from_buffer(&updates[0].id, repository, identity, length), "blob");
		check(git_blob_create_from_buffer(&updates[1].id, repository, body, 600), "blob");
		git_oid tree_id, commit_id;
		check(git_tree_create_updated(&tree_id, repository, tree, 2, updates), "new tree");
		check(git_tree_lookup(&new_tree, repository, &tree_id), "new tree");
		git_buf buffer = { 0 };
		const git_commit *parents[] = { parent };
		check(git_commit_create_buffer(&buffer, repository, author, author, NULL, "one decision\n", new_tree, 1, parents),
			"commit");
		check(git_odb_write(&commit_id, database, buffer.ptr, buffer.size, GIT_OBJECT_COMMIT), "commit");
		git_reference *moved;
		check(git_reference_set_target(&moved, head, &commit_id, "commit"), "branch");
		git_buf_dispose(&buffer);
		git_reference_free(moved);
		git_tree_free(new_tree);
		git_tree_free(tree);
		git_commit_free(parent);
		git_reference_free(head);

		const char *values[] = { name, body };
		body[599] = '\0';
		result = PQexecPrepared(connection, "insert", 2, values, NULL, NULL, 0);
		if (PQresultStatus(result) != PGRES_COMMAND_OK) {
			fprintf(stderr, "%s", PQerrorMessage(connection));
			return 1;
		}
		PQclear(result);
		body[599] = 'x';
		printf("%.1f\n", now() - start);
	}
	return 0;
}
