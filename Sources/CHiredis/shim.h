#ifndef MOHA_CHIREDIS_SHIM_H
#define MOHA_CHIREDIS_SHIM_H

#include <hiredis/hiredis.h>

#endif
