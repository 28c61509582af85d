// SPDX-License-Identifier: Apache-2.0
// A user's program: prints the version of the headers it was compiled with.
#include <cstdio>
#include <spinel/spinel.hpp>

int main() {
  spinel::Bits<24> events;
  events.set(5);
  std::printf("consumer %s %d\n", SPINEL_VERSION_STRING, static_cast<int>(events.count()));
  return 0;
}
