// Who may knock at an sshd now. Caps the connections that have not logged in yet, for each address (sshd drops what
// exceeds its MaxStartups, by default from ten on), and remembers servers that penalise us, which are then left alone.
// Thread-safe.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include "parallel-ssh/cancel.h"

namespace muster::ssh {

class Admission {
 public:
  explicit Admission(int per_endpoint) : per_endpoint_(per_endpoint) {}

  // Holds one place until destroyed: as long as the connection is not authenticated.
  class Place {
   public:
    Place(Admission& admission, std::string endpoint) : admission_(&admission), endpoint_(std::move(endpoint)) {}
    Place(Place&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)), endpoint_(std::move(other.endpoint_)) {}
    Place& operator=(Place&&) = delete;
    ~Place();

   private:
    Admission* admission_;
    std::string endpoint_;
  };

  // `endpoint` is `address:port`, with the jump hosts in front where there are any. Blocks until there is room.
  // Throws base::Error{unreachable} if the endpoint penalises us, {cancelled}.
  Place enter(const std::string& endpoint, const CancelSignal& cancel);

  // From now on nobody enters this endpoint.
  void penalised(const std::string& endpoint);

 private:
  struct Endpoint {
    int inside = 0;
    bool penalising = false;
  };
  int per_endpoint_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Endpoint> endpoints_;  // forgotten when empty, so that memory follows the fanout
};

// What a host's error says then.
std::string penalty_text();

}  // namespace muster::ssh
