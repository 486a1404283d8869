// A backup on another hypervisor's host: muster runs there as a worker over SSH (muster-backup-worker), where it reads,
// deduplicates, compresses and encrypts; disks do not travel. What it stores, and what it looks up, comes through the
// same SSH session: its storage is the one here, of which it removes nothing but what it put.
//
// Frames (base/framed_pipe.h), heads of JSON: from there `{"muster":VERSION}` first, requests of its storage
// (backup/piped_storage.h), `{"note"|"warning":TEXT}`, `{"progress":{...}}` every second, and at last `{"point":ID,
// "held_ms":N}` or `{"error":{...}}`; to there one `{"order":{...},"where":...,"listing_lag_ms":N}` with the credential
// as its body, answers, `{"alive":true}` now and then, and `{"cancel":true}`. Its end of file ends the worker.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "backup/progress.h"
#include "backup/repository.h"
#include "base/context.h"
#include "cli/machine_order_json.h"
#include "cli/machine_point.h"
#include "cli/ssh_place.h"

namespace muster::cli {

// A hypervisor of another host, which does its own machines.
struct RemoteHost {
  SshPlace place;
  std::string command;            // that starts the worker (remote_program.h)
  backup::Credential credential;  // that it gets
};

// `repository`: of which the storage is used, and out of which the restore point is read at the end. Throws
// base::Error{unreachable} where the host cannot be reached, {unsupported} where muster is not there or of another
// version, {timeout} where it falls silent, {cancelled}, and what went wrong there.
MachinePoint create_remote_point(const base::Context& ctx, const backup::Repository& repository, const RemoteHost& host,
                                 const RemoteOrder& order, backup::Progress& progress);

}  // namespace muster::cli
