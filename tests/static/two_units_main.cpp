// SPDX-License-Identifier: Apache-2.0
// Links two translation units that include the umbrella: a function that is not inline would be defined twice, and a
// namespace-scope constant that is not `inline` would have two addresses.
#include <cstdio>
#include <spinel/spinel.hpp>

namespace other_unit {
const char* status_name(spinel::Status status) noexcept;
const void* address_of_status_name() noexcept;
}  // namespace other_unit

int main() {
  if (other_unit::address_of_status_name() != reinterpret_cast<const void*>(static_cast<const char* (*)(spinel::Status) noexcept>(&spinel::to_string))) {
    std::puts("spinel::to_string has two addresses");
    return 1;
  }
  std::puts(other_unit::status_name(spinel::Status::ok));
  return 0;
}
