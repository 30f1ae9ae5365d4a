#include "CMigrations.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char records[] = {
#embed "../../migrations/0001_records.sql"
};
static const unsigned char provenance[] = {
#embed "../../migrations/0002_provenance.sql"
};
static const unsigned char indexes_functions[] = {
#embed "../../migrations/0003_indexes_functions.sql"
};
static const unsigned char fences[] = {
#embed "../../migrations/0004_fences.sql"
};
static const unsigned char fence_check[] = {
#embed "../../migrations/0005_fence_check.sql"
};
static const unsigned char snapshots[] = {
#embed "../../migrations/0006_snapshots.sql"
};
static const unsigned char arrival[] = {
#embed "../../migrations/0007_arrival.sql"
};
static const unsigned char leases[] = {
#embed "../../migrations/0008_leases.sql"
};
static const unsigned char interface[] = {
#embed "../../migrations/0009_interface.sql"
};
static const unsigned char run_totals[] = {
#embed "../../migrations/0010_run_totals.sql"
};
static const unsigned char manifest[] = {
#embed "../../migrations/schema.txt"
};

static const struct moha_migration migrations[] = {
	{ "0001_records.sql", records, sizeof records },
	{ "0002_provenance.sql", provenance, sizeof provenance },
	{ "0003_indexes_functions.sql", indexes_functions, sizeof indexes_functions },
	{ "0004_fences.sql", fences, sizeof fences },
	{ "0005_fence_check.sql", fence_check, sizeof fence_check },
	{ "0006_snapshots.sql", snapshots, sizeof snapshots },
	{ "0007_arrival.sql", arrival, sizeof arrival },
	{ "0008_leases.sql", leases, sizeof leases },
	{ "0009_interface.sql", interface, sizeof interface },
	{ "0010_run_totals.sql", run_totals, sizeof run_totals },
};

size_t moha_migration_count(void)
{
	return sizeof migrations / sizeof *migrations;
}

struct moha_migration moha_migration_at(size_t index)
{
	return migrations[index];
}

struct moha_migration moha_schema_manifest(void)
{
	return (struct moha_migration){ "schema.txt", manifest, sizeof manifest };
}
