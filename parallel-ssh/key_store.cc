#include "parallel-ssh/key_store.h"

#include <algorithm>

#include "base/error.h"

namespace muster::ssh {

const KeyStore::Agent& KeyStore::agent(const std::string& socket_path) {
  const auto [entry, is_new] = agents_.try_emplace(socket_path);
  if (!is_new || socket_path.empty()) return entry->second;
  try {
    entry->second.broker = std::make_unique<AgentBroker>(socket_path);
  } catch (const base::Error& e) {
    entry->second.problem = e.what();
  }
  return entry->second;
}

const KeyStore::KeyFile& KeyStore::key_file(const std::string& path, const AgentBroker* agent) {
  const auto [entry, is_new] = files_.try_emplace(path);
  KeyFile& file = entry->second;
  if (!is_new) return file;
  file.loaded = load_private_key(path, std::nullopt);
  file.public_blob = file.loaded.key ? file.loaded.key->public_blob() : public_blob_of_file(path);
  const bool agent_has_it = agent != nullptr && file.public_blob && agent->holds(*file.public_blob);
  if (file.loaded.state == KeyFileState::needs_passphrase && !agent_has_it)
    if (const auto passphrase = ask_(path)) file.loaded = load_private_key(path, passphrase);
  return file;
}

Credentials KeyStore::credentials(const Target& target) {
  // Held while a file is read and its passphrase asked for: that happens once a run.
  const std::lock_guard lock(mutex_);
  const Agent& agent_entry = agent(target.agent_socket);
  AgentBroker* const broker = agent_entry.broker.get();
  Credentials credentials{.keys = {}, .agent = broker, .password = target.password, .problems = {}};
  if (!agent_entry.problem.empty()) credentials.problems.push_back(agent_entry.problem);

  std::vector<std::string> offered;
  for (const auto& path : target.identity_files) {
    const KeyFile& file = key_file(path, broker);
    if (file.loaded.key)
      credentials.keys.push_back({path, file.loaded.key, {}});
    else if (file.public_blob && broker != nullptr && broker->holds(*file.public_blob))
      credentials.keys.push_back({path + " (agent)", nullptr, *file.public_blob});
    else if (file.loaded.state == KeyFileState::needs_passphrase)
      credentials.problems.push_back(path + " needs a passphrase: add it to an agent with ssh-add");
    else if (file.loaded.state == KeyFileState::unusable)
      credentials.problems.push_back(file.loaded.reason);
    else if (file.loaded.state == KeyFileState::missing && target.only_these_identities)
      credentials.problems.push_back(path + " does not exist");
    if (file.public_blob) offered.push_back(*file.public_blob);
  }
  if (broker != nullptr && !target.only_these_identities) {
    for (const auto& key : broker->keys())
      if (std::find(offered.begin(), offered.end(), key.blob) == offered.end())
        credentials.keys.push_back({key.comment + " (agent)", nullptr, key.blob});
  }
  if (credentials.keys.size() > kMaxOffers) {
    credentials.problems.push_back("only the first " + std::to_string(kMaxOffers) + " of " +
                                   std::to_string(credentials.keys.size()) +
                                   " keys were tried: name the right one with --key or identity_file");
    credentials.keys.resize(kMaxOffers);
  }
  return credentials;
}

}  // namespace muster::ssh
