#ifndef MOHA_CMIGRATIONS_H
#define MOHA_CMIGRATIONS_H

#include <stddef.h>

/*
 * The files of migrations/, compiled into the program: it must be able to rebuild a database wherever it was
 * copied to. Bytes live for the life of the process and are not terminated.
 */
struct moha_migration {
	const char *name;
	const unsigned char *bytes;
	size_t length;
};

/* Numbered migrations in order; returns how many there are. */
size_t moha_migration_count(void);
struct moha_migration moha_migration_at(size_t index);

/* schema.txt: what the catalog says after all migrations, one object a line. */
struct moha_migration moha_schema_manifest(void);

#endif
