// nbdkit-muster-plugin.so: a disk of a restore point as an NBD export that is only read. nbdkit speaks the protocol,
// with its own filters for all else (cow for an overlay); this is what it calls (nbdkit-plugin(3), API version 2).
// Holds a reader's lease as long as it serves. Callbacks of requests come from many threads at once, all others from
// one.
//   nbdkit nbdkit-muster-plugin.so repository=DIR point=ID [disk=NAME]
//     [key-file=PATH | passphrase-fd=N | credential-fd=N]
// and for whoever starts it: [bound=PATH socket=PATH] [ready=PATH] [remove=PATH] [starter-fd=N]
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#define NBDKIT_API_VERSION 2
#include <dlfcn.h>
#include <nbdkit-plugin.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup/directory_storage.h"
#include "backup/point_export.h"
#include "backup/repository.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/quantity.h"
#include "base/unique_fd.h"
#include "disk/stop_signal.h"

// The most that is allowed: see thread_model().
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace muster::backup {
namespace {

using base::Code;
using base::Context;
using base::Error;

constexpr std::size_t kMaxKeyFileBytes = 64U << 10;
// Who starts it writes a secret at once.
constexpr std::chrono::seconds kSecretPatience{30};
// For what is being read when it is told to end.
constexpr std::chrono::seconds kClientsPatience{2};
constexpr std::chrono::hours kLongTime{24};

class NbdkitEvents : public base::EventSink {
 public:
  void message(base::Severity severity, const std::string& text) override {
    if (severity == base::Severity::note) return nbdkit_debug("%s", text.c_str());
    std::fprintf(stderr, "nbdkit: muster: warning: %s\n", text.c_str());
  }
};

Context context() {
  static NbdkitEvents events;
  return {.stop = {}, .events = &events};
}

// What was said on the command line; secrets only by where they are.
struct Parameters {
  std::string repository, point;
  std::optional<std::string> disk, key_file;
  std::optional<std::string> passphrase;
  std::optional<Credential> credential;
  // What nbdkit listens on gets another name once it serves: nbdkit lets everybody connect to its own, so that has to
  // lie in a directory that is closed to others.
  std::string bound, socket;
  std::string ready;
  std::string remove;      // its starter's directory, who may be killed before removing it
  base::UniqueFd starter;  // the end of a pipe to write to; its starter has the other
};

base::UniqueFd descriptor(std::string_view key, std::string_view value) {
  return base::UniqueFd(static_cast<int>(base::parse_integer(value, 0, INT32_MAX, key)));
}

std::string secret_at(std::string_view key, std::string_view value) {
  return base::read_to_end(descriptor(key, value).get(), kSecretPatience);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void set_parameter(Parameters& parameters, std::string_view key, const std::string& value) {
  if (key == "repository")
    parameters.repository = value;
  else if (key == "point")
    parameters.point = value;
  else if (key == "disk")
    parameters.disk = value;
  else if (key == "key-file")
    parameters.key_file = value;
  else if (key == "passphrase-fd")
    parameters.passphrase = first_line(secret_at(key, value));
  else if (key == "credential-fd")
    parameters.credential = decode_credential(base::as_bytes(secret_at(key, value)));
  else if (key == "bound")
    parameters.bound = std::filesystem::absolute(value);
  else if (key == "socket")
    parameters.socket = std::filesystem::absolute(value);
  else if (key == "ready")
    parameters.ready = std::filesystem::absolute(value);
  else if (key == "remove")
    parameters.remove = std::filesystem::absolute(value);
  else if (key == "starter-fd")
    parameters.starter = descriptor(key, value);
  else
    throw Error(Code::usage, "unknown parameter '" + std::string(key) + "'");
}

Repository open_as_told(const Context& ctx, const Parameters& parameters) {
  auto storage = std::make_shared<DirectoryStorage>(std::filesystem::absolute(parameters.repository));
  if (parameters.credential) return {storage, read_config(ctx, *storage), *parameters.credential};
  Unlocking unlocking;
  unlocking.passphrase = parameters.passphrase;
  if (const auto& path = parameters.key_file)
    unlocking.key_file = parse_key_file(base::read_file(*path, kMaxKeyFileBytes), *path);
  return open_repository(ctx, storage, unlocking);
}

// Another name for the socket, for its user alone, as long as this lives.
class SocketName {
 public:
  SocketName(const std::string& bound, const std::string& socket) : socket_(socket) {
    if (::chmod(bound.c_str(), 0600) != 0) base::throw_errno("close " + bound + " to others");
    if (::link(bound.c_str(), socket.c_str()) != 0) base::throw_errno("make socket " + socket);
  }
  SocketName(const SocketName&) = delete;
  SocketName& operator=(const SocketName&) = delete;
  ~SocketName() { ::unlink(socket_.c_str()); }

 private:
  std::string socket_;
};

// --- what nbdkit calls

// All there is: its callbacks have nothing else to find it by.
struct Plugin {
  Parameters parameters;
  std::unique_ptr<const Repository> repository;
  std::unique_ptr<PointExport> served;
  std::optional<SocketName> socket;
  std::jthread watch;

  // What others would find of it.
  void let_go() {
    socket.reset();
    if (served) served->drop_lease();
    std::error_code ignored;
    if (!parameters.remove.empty()) std::filesystem::remove_all(parameters.remove, ignored);
  }
};
Plugin& plugin() {
  static Plugin the_one;
  return the_one;
}

// Ends nbdkit once its starter is gone, or wants it to end. By itself, nbdkit waits for every client to go away.
void watch_starter(const std::stop_token& stop) {
  try {
    const disk::StopSignal signal(stop);
    std::array<pollfd, 1> hung_up{{{.fd = plugin().parameters.starter.get(), .events = 0, .revents = 0}}};
    while (!signal.poll(hung_up, base::Clock::now() + kLongTime)) continue;
    nbdkit_shutdown();
    signal.poll({}, base::Clock::now() + kClientsPatience);
    plugin().let_go();
    ::_exit(0);
  } catch (const std::exception&) {
    // It ends as it should.
  }
}

// The border: what `action` throws is said, and told to the client as EIO.
template <typename Action>
int guarded(const Action& action) {
  try {
    action();
    return 0;
  } catch (const std::exception& e) {
    nbdkit_error("%s", e.what());
    nbdkit_set_error(EIO);
    return -1;
  }
}

int config(const char* key, const char* value) {
  return guarded([&] { set_parameter(plugin().parameters, key, value); });
}

int config_complete() {
  return guarded([] {
    const Parameters& parameters = plugin().parameters;
    if (parameters.repository.empty() || parameters.point.empty())
      throw Error(Code::usage, "write repository=DIR and point=ID");
  });
}

// What is wrong is told before nbdkit forks; threads are made after that.
int get_ready() {
  return guarded([] {
    const Parameters& parameters = plugin().parameters;
    plugin().repository.reset(new Repository(open_as_told(context(), parameters)));
    plugin().served = std::make_unique<PointExport>(context(), *plugin().repository,
                                                    parse_object_id(parameters.point, "point"), parameters.disk);
  });
}

// nbdkit listens by now: who connects is served as soon as this returns.
int after_fork() {
  return guarded([] {
    const Parameters& parameters = plugin().parameters;
    plugin().served->start(context());
    if (!parameters.socket.empty()) plugin().socket.emplace(parameters.bound, parameters.socket);
    if (parameters.starter) plugin().watch = std::jthread(watch_starter);
    if (!parameters.ready.empty())
      base::replace_file(parameters.ready, std::to_string(plugin().served->disk().size_bytes()));
  });
}

void unload() {
  if (plugin().watch.joinable()) plugin().watch = {};
  plugin().let_go();
  plugin().served.reset();
}

void* open_connection(int) { return NBDKIT_HANDLE_NOT_NEEDED; }

std::int64_t get_size(void*) { return static_cast<std::int64_t>(plugin().served->disk().size_bytes()); }

int pread_at(void*, void* into, std::uint32_t count, std::uint64_t offset, std::uint32_t) {
  return guarded([&] {
    plugin().served->disk().read(context(), offset, {static_cast<std::byte*>(into), std::size_t{count}});
  });
}

int extents_of(void*, std::uint32_t count, std::uint64_t offset, std::uint32_t flags, nbdkit_extents* extents) {
  return guarded([&] {
    plugin().served->disk().each_extent(context(), {offset, count}, [&](disk::ByteRange range, PointDisk::Extent kind) {
      const std::uint32_t type = kind == PointDisk::Extent::zeroes ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0U;
      if (nbdkit_add_extent(extents, range.offset, range.length, type) != 0)
        throw Error(Code::io, "no memory for a list of extents");
      return (flags & NBDKIT_FLAG_REQ_ONE) == 0;
    });
  });
}

// An nbdkit before 1.34 dies of a client that hangs up while several of its requests are at work
// (https://bugzilla.redhat.com/show_bug.cgi?id=2173054, Debian 12 has 1.32.5): there, requests of one client are served
// one after the other, and those of several side by side. The function came with 1.34.
int thread_model() {
  const bool fixed = ::dlsym(RTLD_DEFAULT, "nbdkit_disconnect") != nullptr;
  return fixed ? NBDKIT_THREAD_MODEL_PARALLEL : NBDKIT_THREAD_MODEL_SERIALIZE_REQUESTS;
}

int yes(void*) { return 1; }
// By reading it, which keeps it.
int can_cache(void*) { return NBDKIT_CACHE_EMULATE; }

const char* const kHelp =
    "repository=DIR    (required) the repository\n"
    "point=ID          (required) the restore point's whole identifier\n"
    "disk=NAME         the disk, where there are several\n"
    "key-file=PATH     what opens the repository; or\n"
    "passphrase-fd=N   a descriptor with the passphrase in its first line; or\n"
    "credential-fd=N   a descriptor with what `muster` opened it with\n"
    "ready=PATH        made once it serves: a file with the disk's size in bytes\n"
    "remove=PATH       removed at the end, with all that is in it\n"
    "starter-fd=N      a pipe: it ends once nobody can read from that any more\n"
    "socket=PATH       with bound=PATH, where nbdkit listens: a second name of that, made once it serves, of mode 0600";

nbdkit_plugin table() {
  nbdkit_plugin functions{};
  functions.name = "muster";
  functions.longname = "muster restore points";
  functions.description = "a disk of a restore point of muster, read-only";
  functions.config_help = kHelp;
  functions.config = config;
  functions.config_complete = config_complete;
  functions.get_ready = get_ready;
  functions.after_fork = after_fork;
  functions.unload = unload;
  functions.thread_model = thread_model;
  functions.open = open_connection;
  functions.get_size = get_size;
  functions.pread = pread_at;
  functions.can_extents = yes;
  functions.extents = extents_of;
  functions.can_multi_conn = yes;
  functions.can_cache = can_cache;
  return functions;
}

nbdkit_plugin registered = table();

}  // namespace
}  // namespace muster::backup

NBDKIT_REGISTER_PLUGIN(muster::backup::registered)
