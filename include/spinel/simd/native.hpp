// SPDX-License-Identifier: Apache-2.0
// arch::native: the widest instruction set that the compiler's flags allow in this binary.
#pragma once

#include <spinel/simd/arch.hpp>
#include <spinel/simd/avx2.hpp>
#include <spinel/simd/avx512.hpp>
#include <spinel/simd/neon.hpp>
#include <spinel/simd/scalar.hpp>

namespace spinel::arch {

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
using native = avx512;
#elif defined(__AVX2__) && defined(__FMA__)
using native = avx2;
#elif defined(__aarch64__)
using native = neon;
#else
using native = scalar;
#endif

static_assert(Arch<scalar> && Arch<native>);

}  // namespace spinel::arch
