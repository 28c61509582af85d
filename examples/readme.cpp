// SPDX-License-Identifier: Apache-2.0
// The README's first program; tests/static/readme.py keeps the two the same.

#include <cstdio>
#include <spinel/spinel.hpp>

int main() {
  const std::uint8_t shot[3] = {0x21, 0x00, 0x80};  // one shot of 24 detectors, as Stim writes b8
  spinel::Bits<24> events;
  events.load_b8(shot);
  spinel::for_each_set_bit(events.words, [](std::size_t k) { std::printf("detection event D%zu\n", k); });
  return 0;
}
