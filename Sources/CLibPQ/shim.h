#ifndef MOHA_CLIBPQ_SHIM_H
#define MOHA_CLIBPQ_SHIM_H

#include <libpq-fe.h>

#endif
