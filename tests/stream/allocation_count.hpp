// SPDX-License-Identifier: Apache-2.0
// Heap allocations of the test program so far.
#pragma once
long allocation_count() noexcept;
