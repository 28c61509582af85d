// SPDX-License-Identifier: Apache-2.0
// The x86 intrinsics, included in one place: GCC 12 warns about the deliberately undefined operands inside its own
// intrinsics (GCC bug 105593), and only where the header is first included can that be silenced.
#pragma once

#if defined(__AVX2__)  // as all that include this ask for at least; without, a third of a second of compilation is spared
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif
