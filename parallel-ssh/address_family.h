// Which kind of addresses a host may be reached at.
#pragma once

namespace muster::ssh {

enum class AddressFamily { any, inet, inet6 };

}  // namespace muster::ssh
