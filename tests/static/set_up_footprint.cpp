// SPDX-License-Identifier: Apache-2.0
// Set-up of the same decoder: it too runs without heap, exceptions and system calls.
// may also need: log llround
#include <span>

#include <spinel/spinel.hpp>

spinel::Status decoder_footprint_set_up(std::span<const spinel::GraphEdge> edges, std::span<std::byte> memory,
                                        spinel::ExactMatcher& matcher) noexcept {
  const auto made = spinel::ExactMatcher::create(2184, 1, edges, memory);
  if (made) matcher = *made;
  return made.status;
}
