// SPDX-License-Identifier: Apache-2.0
// The other translation unit of two_units_main.cpp.
#include <spinel/spinel.hpp>

namespace other_unit {

const char* status_name(spinel::Status status) noexcept { return spinel::to_string(status); }
const void* address_of_status_name() noexcept { return reinterpret_cast<const void*>(static_cast<const char* (*)(spinel::Status) noexcept>(&spinel::to_string)); }

}  // namespace other_unit
