// Makes few index tables out of many, without what lies in packs that go. Memory: a table of output, and a piece of
// each table of input. One call is one thread's.
#pragma once

#include <set>
#include <vector>

#include "backup/index.h"
#include "backup/repository.h"

namespace muster::backup {

// Puts tables that have every entry of `tables` but those of `gone`, and then removes `tables`. Killed in between, it
// leaves entries twice, which does no harm.
void replace_tables(const base::Context& ctx, const Repository& repository, const std::vector<ObjectId>& tables,
                    const std::set<ObjectId>& gone);

// The tables that name any of `packs`, and, where there are many small ones, those.
std::vector<ObjectId> tables_to_replace(const base::Context& ctx, const Repository& repository,
                                        const std::set<ObjectId>& packs);

}  // namespace muster::backup
