// SPDX-License-Identifier: Apache-2.0
// Heap allocations of a program, counted by replacing the global operators: heap_count.cpp is linked into the program, the benchmark and
// the test programs that show a loop to be free of them.
#pragma once

namespace spinel {

/// Calls of operator new so far, in all threads.
long heap_allocations() noexcept;

}  // namespace spinel
