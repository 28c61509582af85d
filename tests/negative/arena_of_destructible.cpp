// SPDX-License-Identifier: Apache-2.0
// expect: arena items are never destroyed
#include <spinel/core/arena.hpp>

struct Item {
#ifndef CORRECTED
  ~Item() { value = 0; }
#endif
  int value = 0;
};

std::size_t use(spinel::Arena& arena) { return arena.take<Item>(3).size(); }
